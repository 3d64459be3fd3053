//! The code that `#[task]` puts beside the function: a type of the same name that describes the task and runs it from JSON.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Error, Ident, ItemFn, Result};

use crate::attribute::Attribute;
use crate::documentation;
use crate::signature::{Argument, Signature};

/// Expands one attribute.
pub(crate) fn task(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let attribute = Attribute::parse(attribute)?;
    let not_function = |error: Error| Error::new(error.span(), format!("`#[task]` stands on a function: {error}"));
    let mut function: ItemFn = syn::parse2(item).map_err(not_function)?;
    let signature = Signature::take(&mut function)?;
    let (name, visibility, ident) = (&attribute.name, &function.vis, &function.sig.ident);
    let (describe, run) = (describe(&attribute, &function, &signature), run(ident, &signature));
    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(non_camel_case_types, reason = "named as the function whose task it is")]
        #visibility enum #ident {}

        impl ::mogbox_guest::Task for #ident {
            const ENTRY: ::mogbox_guest::TaskEntry = {
                #describe
                #run
                ::mogbox_guest::TaskEntry::new(#name, describe, run)
            };
        }
    })
}

fn describe(attribute: &Attribute, function: &ItemFn, signature: &Signature) -> TokenStream {
    let name = &attribute.name;
    let documentation = documentation::text(&function.attrs);
    let (title, description) = match &attribute.title {
        Some(title) => (title.clone(), documentation),
        None => documentation::split(&documentation),
    };
    let arguments = signature.arguments.iter().map(|Argument { name, ty, optional, documentation, .. }| {
        quote! { .argument::<#ty>(#name, #documentation, !#optional) }
    });
    let returns = match (&signature.output, signature.fallible) {
        (None, _) => quote! { () },
        (Some(ty), false) => quote! { #ty },
        (Some(ty), true) => quote! { <#ty as ::mogbox_guest::__private::Fallible>::Value },
    };
    quote! {
        fn describe() -> ::mogbox_guest::TaskDescription {
            ::mogbox_guest::__private::Describe::new(#name, #title, #description)#(#arguments)*.returns::<#returns>()
        }
    }
}

fn run(ident: &Ident, signature: &Signature) -> TokenStream {
    let here = Span::mixed_site();
    let [context, given, bound, errors, function] = ["context", "given", "bound", "errors", "function"].map(|name| Ident::new(name, here));
    let idents: Vec<&Ident> = signature.arguments.iter().map(|argument| &argument.ident).collect();
    let names = signature.arguments.iter().map(|argument| &argument.name);
    let decoded = signature.arguments.iter().map(|argument| decode(argument, &bound));
    let passed_context = signature.takes_context.then(|| quote! { #context, });
    let call = quote! { #function(#passed_context #(#idents),*) };
    let answer = if signature.fallible {
        quote! { ::mogbox_guest::__private::answer(#call) }
    } else {
        quote! { ::mogbox_guest::__private::answer_value(#call) }
    };
    quote_spanned! { here =>
        #[allow(unused_variables, unused_mut, clippy::let_unit_value, clippy::unit_arg, reason = "a task may take and give nothing")]
        fn run(#context: &::mogbox_guest::Context, #given: ::mogbox_guest::Arguments)
            -> ::std::result::Result<::std::string::String, ::mogbox_guest::TaskError>
        {
            // An argument may have the function's own name.
            let #function = #ident;
            let mut #bound = #given.bind(&[#(#names),*]);
            #(#decoded)*
            let #errors = #bound.finish();
            match (#(#idents,)*) {
                (#(::std::option::Option::Some(#idents),)*) if #errors.is_empty() => #answer,
                _ => ::std::result::Result::Err(::mogbox_guest::TaskError::InvalidArguments(#errors)),
            }
        }
    }
}

fn decode(argument: &Argument, bound: &Ident) -> TokenStream {
    let Argument { ident, name, ty, optional, .. } = argument;
    if *optional {
        quote! { let #ident = #bound.optional::<#ty>(#name); }
    } else {
        quote! { let #ident = #bound.required::<#ty>(#name); }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_stays_and_a_type_of_its_name_joins_it() {
        let expanded = task(
            quote!(name = "example.add"),
            quote!(
                fn add(a: f64, b: f64) -> f64 {
                    a + b
                }
            ),
        )
        .unwrap();
        let file: syn::File = syn::parse2(expanded).unwrap();
        assert!(matches!(&file.items[..], [syn::Item::Fn(function), syn::Item::Enum(ty), syn::Item::Impl(_)]
            if function.sig.ident == "add" && ty.ident == "add"));
    }

    #[test]
    fn only_functions_are_tasks() {
        let error = task(
            quote!(name = "a"),
            quote!(
                struct A;
            ),
        )
        .unwrap_err()
        .to_string();
        assert!(error.starts_with("`#[task]` stands on a function"), "{error}");
    }
}
