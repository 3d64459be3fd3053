//! Tenants side by side on one node, each with tokens of its own: what one can do through the API, the command line and host functions
//! reaches nothing of another; what an operator lays down for one holds for that one, from then on.

mod bounds;
mod calls;
mod command_line;
mod doors;
mod grants;
mod guests;
mod operations;
mod pair;
mod running;
mod scopes;
mod signatures;
