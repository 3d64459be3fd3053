//! The suite of the ports to results, state and modules.

mod check;
mod children;
mod foreign;
mod interleavings;
mod life;
mod metadata;
mod modules;
mod open;
mod outage;
mod raw;
mod revocation;
mod samples;
mod state;
mod tenants;
mod tokens;
mod usage;
mod values;
mod wait;
mod world;
