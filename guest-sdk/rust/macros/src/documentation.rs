//! Documentation comments as text for people.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The text of all documentation comments, one leading space of each line removed.
pub(crate) fn text(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(line).collect();
    lines.join("\n").trim().to_owned()
}

/// The first paragraph on one line, and the rest.
pub(crate) fn split(text: &str) -> (String, String) {
    let (title, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    (title.split_whitespace().collect::<Vec<_>>().join(" "), rest.trim().to_owned())
}

pub(crate) fn is_documentation(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

fn line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if is_documentation(attribute) => {
            let text = text.value();
            Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_is_the_title() {
        let attributes = syn::parse_quote!(
            /// Adds two
            /// numbers.
            ///
            /// Slowly.
        );
        let function: syn::ItemStruct = attributes_of(attributes);
        let documentation = text(&function.attrs);
        assert_eq!(split(&documentation), ("Adds two numbers.".to_owned(), "Slowly.".to_owned()));
    }

    fn attributes_of(holder: Holder) -> syn::ItemStruct {
        syn::ItemStruct {
            attrs: holder.0,
            ..syn::parse_quote!(
                struct Any;
            )
        }
    }

    struct Holder(Vec<Attribute>);

    impl syn::parse::Parse for Holder {
        fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
            input.call(Attribute::parse_outer).map(Self)
        }
    }
}
