//! The `#[task]` attribute of `mogbox-guest`. Knows Rust's syntax and the names that the generated code calls, nothing else.

mod attribute;
mod documentation;
mod expand;
mod signature;

use proc_macro::TokenStream;

/// Turns an ordinary function into a task; see the documentation of `mogbox_guest`.
///
/// `name` is what requests carry: 1 to 256 characters, letters, digits, `.`, `_`, `-`, `:`. `title` is one line for people; without it,
/// the first paragraph of the function's documentation is the title and the rest the description.
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
