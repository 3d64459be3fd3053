//! What stands in the parentheses of `#[task(…)]`.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::{Error, LitStr, Result};

/// Characters of the longest task name.
const MAX_NAME: usize = 256;

/// The attribute's values.
pub(crate) struct Attribute {
    pub(crate) name: LitStr,
    pub(crate) title: Option<String>,
}

impl Attribute {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let (mut name, mut title) = (None, None);
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("name") {
                name = Some(meta.value()?.parse::<LitStr>()?);
            } else if meta.path.is_ident("title") {
                title = Some(meta.value()?.parse::<LitStr>()?.value());
            } else {
                return Err(meta.error("unknown setting: expected `name` or `title`"));
            }
            Ok(())
        });
        parser.parse2(tokens)?;
        let name = name.ok_or_else(|| Error::new(Span::call_site(), "a task needs a name: `#[task(name = \"example.add\")]`"))?;
        check_name(&name)?;
        Ok(Self { name, title })
    }
}

fn check_name(name: &LitStr) -> Result<()> {
    let text = name.value();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(());
    }
    let message = format!("invalid task name {text:?}: expected 1 to {MAX_NAME} characters, letters, digits, `.`, `_`, `-`, `:`");
    Err(Error::new(name.span(), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn error(tokens: TokenStream) -> String {
        Attribute::parse(tokens).err().unwrap().to_string()
    }

    #[test]
    fn a_name_is_required_and_bounded() {
        assert_eq!(error(quote!()), "a task needs a name: `#[task(name = \"example.add\")]`");
        assert!(error(quote!(name = "with space")).starts_with("invalid task name \"with space\": expected 1 to 256 characters"));
        assert_eq!(error(quote!(names = "a")), "unknown setting: expected `name` or `title`");
    }

    #[test]
    fn the_title_may_be_left_out() {
        assert!(Attribute::parse(quote!(name = "a.b:c-d_1")).unwrap().title.is_none());
        assert_eq!(Attribute::parse(quote!(name = "a", title = "Adds")).unwrap().title.unwrap(), "Adds");
    }
}
