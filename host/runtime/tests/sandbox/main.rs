//! The sandbox against real components: what good guests get, and what hostile ones do not.

/// Runs each of these tests on both tiers: with attempts in this process, and in processes of their tenants'.
#[cfg(test)]
macro_rules! on_both {
    ($($name:ident)*) => {
        mod shared {
            $(#[tokio::test] async fn $name() { super::$name(crate::world::World::new()).await; })*
        }
        mod process {
            $(#[tokio::test] async fn $name() { super::$name(crate::world::World::of_processes()).await; })*
        }
    };
}

#[cfg(test)]
mod admission;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod compiler;
#[cfg(test)]
mod endless;
#[cfg(test)]
mod escape;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod interruption;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod node_memory;
#[cfg(test)]
mod parking;
#[cfg(test)]
mod residue;
#[cfg(test)]
mod world;
