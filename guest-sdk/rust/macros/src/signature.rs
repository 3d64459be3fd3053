//! The function under `#[task]`: its arguments and result, or why it cannot be a task.

use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, ItemFn, Pat, PatType, Result, ReturnType, Type};

use crate::documentation;

/// What the generated code has to know of the function.
pub(crate) struct Signature {
    pub(crate) takes_context: bool,
    pub(crate) arguments: Vec<Argument>,
    /// The type of the result; none for `()`.
    pub(crate) output: Option<Type>,
    /// Whether the result is a `Result`.
    pub(crate) fallible: bool,
}

/// One argument of a task.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    /// As requests give it.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) optional: bool,
    pub(crate) documentation: String,
}

impl Signature {
    /// Reads the signature, and takes the documentation off the arguments, where the compiler does not allow any.
    pub(crate) fn take(function: &mut ItemFn) -> Result<Self> {
        check(function)?;
        let takes_context = function.sig.inputs.first().is_some_and(is_context);
        let inputs = function.sig.inputs.iter_mut().skip(usize::from(takes_context));
        let arguments = inputs.map(argument).collect::<Result<_>>()?;
        let output = match &function.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        };
        let fallible = output.as_ref().is_some_and(|ty| is_named(ty, "Result"));
        Ok(Self { takes_context, arguments, output, fallible })
    }
}

fn check(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        return Err(Error::new(token.span(), "a task is an ordinary function: remove `async`; calls that wait hold no thread of the host"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(signature.generics.span(), "a task has no generic parameters: requests carry JSON, name the types"));
    }
    if let Some(token) = &signature.unsafety {
        return Err(Error::new(token.span(), "a task cannot be `unsafe`"));
    }
    Ok(())
}

/// Whether this is the `&Context` that a task may take first.
fn is_context(input: &FnArg) -> bool {
    match input {
        FnArg::Typed(PatType { ty, .. }) => matches!(&**ty, Type::Reference(reference) if is_named(&reference.elem, "Context")),
        FnArg::Receiver(_) => false,
    }
}

fn argument(input: &mut FnArg) -> Result<Argument> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => return Err(Error::new(receiver.span(), "a task is a function, not a method")),
    };
    let Pat::Ident(pattern) = &*typed.pat else {
        return Err(Error::new(typed.pat.span(), "an argument of a task needs a plain name, by which requests give it"));
    };
    check_type(&typed.ty)?;
    let documentation = documentation::text(&typed.attrs);
    let argument = Argument {
        ident: pattern.ident.clone(),
        name: pattern.ident.to_string().trim_start_matches("r#").to_owned(),
        ty: (*typed.ty).clone(),
        optional: is_named(&typed.ty, "Option"),
        documentation,
    };
    typed.attrs.retain(|attribute| !documentation::is_documentation(attribute));
    Ok(argument)
}

fn check_type(ty: &Type) -> Result<()> {
    let message = match ty {
        Type::Reference(reference) if is_named(&reference.elem, "Context") => "the context comes first: `fn task(ctx: &Context, …)`",
        Type::Reference(_) => "an argument of a task is owned: `String` rather than `&str`, `Vec<T>` rather than `&[T]`",
        Type::ImplTrait(_) => "an argument of a task has a named type, which says what JSON it takes",
        _ => return Ok(()),
    };
    Err(Error::new(ty.span(), message))
}

/// Whether a type's last word is `name`, such as `std::option::Option<T>`.
fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn error(mut function: ItemFn) -> String {
        Signature::take(&mut function).err().unwrap().to_string()
    }

    #[test]
    fn the_context_may_be_left_out_and_is_no_argument() {
        let mut with: ItemFn = parse_quote!(
            fn f(ctx: &mogbox_guest::Context, #[doc = " How many."] r#type: Option<u8>) -> Result<u8> {}
        );
        let signature = Signature::take(&mut with).unwrap();
        assert!(signature.takes_context && signature.fallible);
        let argument = &signature.arguments[0];
        assert_eq!((argument.name.as_str(), argument.documentation.as_str(), argument.optional), ("type", "How many.", true));
        assert!(!quote::quote!(#with).to_string().contains("How many"), "the compiler refuses documentation of arguments");
        let without = Signature::take(&mut parse_quote!(
            fn f(n: u8) -> u8 {}
        ))
        .unwrap();
        assert!(!without.takes_context && !without.fallible && !without.arguments[0].optional);
    }

    #[test]
    fn a_function_that_cannot_be_a_task_is_told_why() {
        let cases: [(ItemFn, &str); 7] = [
            (
                parse_quote!(
                    async fn f() {}
                ),
                "remove `async`",
            ),
            (
                parse_quote!(
                    fn f<T>(t: T) {}
                ),
                "no generic parameters",
            ),
            (
                parse_quote!(
                    unsafe fn f() {}
                ),
                "cannot be `unsafe`",
            ),
            (
                parse_quote!(
                    fn f((a, b): (u8, u8)) {}
                ),
                "needs a plain name",
            ),
            (
                parse_quote!(
                    fn f(text: &str) {}
                ),
                "`String` rather than `&str`",
            ),
            (
                parse_quote!(
                    fn f(n: u8, ctx: &Context) {}
                ),
                "the context comes first",
            ),
            (
                parse_quote!(
                    fn f(n: impl Copy) {}
                ),
                "a named type",
            ),
        ];
        for (function, expected) in cases {
            let text = error(function);
            assert!(text.contains(expected), "{text:?} lacks {expected:?}");
        }
    }
}
