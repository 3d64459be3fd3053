//! Guests that misbehave, each in one way, over the real binary. Each ends with a text that says why; the same node, under a cap on
//! its memory, then runs an honest request of another tenant.
//!
//! What no guest can try: to call its own exports from within a call of the host. The host never calls back into a guest that it
//! serves, and the WIT has no function that takes a callback or a resource of the guest's.

mod answers;
mod calls;
mod children;
mod compute;
mod corpus;
mod memory;
mod others;
mod outgoing;
mod residue;
mod together;
mod uploads;
mod victim;
mod wasi;
mod words;
