//! What a component is made of: every part counted against a bound before it is validated, so that no compiler sees what is too much or
//! invalid. Validation is linear in the bytes, and nothing of the component runs.

use mogbox_core::limits::Unit;
use wasmparser::{
    ComponentExport, ComponentImport, ComponentTypeRef, Encoding, FuncValidatorAllocations, FunctionBody, Parser, Payload, TypeBounds,
    ValidPayload, Validator,
};

use crate::engine::wasm_features;

/// Components within components, and core modules within them. Composed ones have three levels or so.
const MAX_DEPTH: usize = 8;

/// Core modules, and components: toolchains that link at build time bring some dozens.
const MAX_CORE_MODULES: usize = 200;
const MAX_COMPONENTS: usize = 200;

/// Of all core modules and components together; interpreters of Python and JavaScript need a tenth.
const MAX_TYPES: usize = 100_000;
const MAX_FUNCTIONS: usize = 200_000;
const MAX_IMPORTS: usize = 100_000;
const MAX_EXPORTS: usize = 100_000;
const MAX_GLOBALS: usize = 100_000;
const MAX_SEGMENTS: usize = 100_000;

/// Bytes of one function: compilers take more time than a function grows. The largest loop of an interpreter has a quarter of that.
const MAX_FUNCTION: usize = 1 << 20;

/// What the component itself imports and exports: how many, and bytes of a name.
const MAX_INTERFACES: usize = 1_000;
const MAX_NAME: usize = 256;

/// What a component imports and exports, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Reads a component, which must be valid and within every bound.
pub(crate) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let mut reading = Reading { validator: Validator::new_with_features(wasm_features()), ..Reading::default() };
    let mut parser = Parser::new(0);
    parser.set_features(wasm_features());
    for payload in parser.parse_all(bytes) {
        reading.take(&payload.map_err(|error| invalid(&error))?)?;
    }
    Ok(reading.contents)
}

fn invalid(error: &wasmparser::BinaryReaderError) -> String {
    format!("it is not a valid component: {error}")
}

/// How far a component was read.
#[derive(Default)]
struct Reading {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    depth: usize,
    core_modules: usize,
    components: usize,
    types: usize,
    functions: usize,
    imports: usize,
    exports: usize,
    globals: usize,
    segments: usize,
    contents: Contents,
}

impl Reading {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), String> {
        self.count(payload)?;
        match self.validator.payload(payload).map_err(|error| invalid(&error))? {
            ValidPayload::Func(function, body) => {
                let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
                validator.validate(&body).map_err(|error| invalid(&error))?;
                self.allocations = validator.into_allocations();
            }
            ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::End(_) => {}
        }
        Ok(())
    }

    fn count(&mut self, payload: &Payload<'_>) -> Result<(), String> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(*encoding),
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::TypeSection(section) => add(&mut self.types, section.count(), "types", MAX_TYPES),
            Payload::CoreTypeSection(section) => add(&mut self.types, section.count(), "types", MAX_TYPES),
            Payload::ComponentTypeSection(section) => add(&mut self.types, section.count(), "types", MAX_TYPES),
            Payload::FunctionSection(section) => add(&mut self.functions, section.count(), "functions", MAX_FUNCTIONS),
            Payload::ComponentCanonicalSection(section) => add(&mut self.functions, section.count(), "functions", MAX_FUNCTIONS),
            Payload::ImportSection(section) => add(&mut self.imports, section.count(), "imports", MAX_IMPORTS),
            Payload::ExportSection(section) => add(&mut self.exports, section.count(), "exports", MAX_EXPORTS),
            Payload::GlobalSection(section) => add(&mut self.globals, section.count(), "globals", MAX_GLOBALS),
            Payload::DataSection(section) => add(&mut self.segments, section.count(), "segments of data and elements", MAX_SEGMENTS),
            Payload::ElementSection(section) => add(&mut self.segments, section.count(), "segments of data and elements", MAX_SEGMENTS),
            Payload::CodeSectionEntry(body) => check_function(body),
            Payload::ComponentImportSection(section) => {
                add(&mut self.imports, section.count(), "imports", MAX_IMPORTS)?;
                section.clone().into_iter().try_for_each(|import| self.import(&import.map_err(|error| invalid(&error))?))
            }
            Payload::ComponentExportSection(section) => {
                add(&mut self.exports, section.count(), "exports", MAX_EXPORTS)?;
                section.clone().into_iter().try_for_each(|export| self.export(&export.map_err(|error| invalid(&error))?))
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), String> {
        add(&mut self.depth, 1, "levels of components and modules within each other", MAX_DEPTH)?;
        match encoding {
            Encoding::Module => add(&mut self.core_modules, 1, "core modules", MAX_CORE_MODULES),
            Encoding::Component => add(&mut self.components, 1, "components", MAX_COMPONENTS),
        }
    }

    /// Types that are only named again ask the host for nothing.
    fn import(&mut self, import: &ComponentImport<'_>) -> Result<(), String> {
        match import.ty {
            ComponentTypeRef::Type(TypeBounds::Eq(_)) => Ok(()),
            _ if self.depth == 1 => note(&mut self.contents.imports, import.name.name, "imports"),
            _ => Ok(()),
        }
    }

    fn export(&mut self, export: &ComponentExport<'_>) -> Result<(), String> {
        if self.depth == 1 { note(&mut self.contents.exports, export.name.name, "exports") } else { Ok(()) }
    }
}

fn add(count: &mut usize, more: u32, what: &str, most: usize) -> Result<(), String> {
    *count = count.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
    match *count {
        found if found > most => Err(format!("it has {found} {what} or more, at most {most} are allowed")),
        _ => Ok(()),
    }
}

fn check_function(body: &FunctionBody<'_>) -> Result<(), String> {
    let size = body.range().len();
    if size > MAX_FUNCTION {
        return Err(format!("one of its functions has {size} bytes, at most {} are allowed", Unit::Bytes.show(MAX_FUNCTION as u64)));
    }
    Ok(())
}

fn note(names: &mut Vec<String>, name: &str, what: &str) -> Result<(), String> {
    if name.len() > MAX_NAME {
        return Err(format!("the name of one of its {what} has {} bytes, at most {MAX_NAME} are allowed", name.len()));
    }
    if names.len() >= MAX_INTERFACES {
        return Err(format!("the component itself has more than {MAX_INTERFACES} {what}, at most {MAX_INTERFACES} are allowed"));
    }
    names.push(name.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Contents, String> {
        read(&wat::parse_str(text).unwrap())
    }

    fn reason(text: &str) -> String {
        read_text(text).unwrap_err()
    }

    #[test]
    fn what_a_component_imports_and_exports_is_its_own_and_not_what_is_within() {
        let within = r#"(component (import "inner" (func)) (instance $i) (export "deep" (instance $i)))"#;
        let contents =
            read_text(&format!(r#"(component (import "a:b/c@1.0.0" (instance)) {within} (instance $i) (export "lib" (instance $i)))"#));
        assert_eq!(contents.unwrap(), Contents { imports: vec!["a:b/c@1.0.0".into()], exports: vec!["lib".into()] });
    }

    #[test]
    fn every_bound_is_named_with_what_was_found() {
        let nested = |levels: usize| format!("{}{}", "(component ".repeat(levels), ")".repeat(levels));
        read_text(&nested(MAX_DEPTH)).unwrap();
        assert_eq!(reason(&nested(9)), "it has 9 levels of components and modules within each other or more, at most 8 are allowed");
        let many = |part: &str, number: usize| format!("(component {})", part.repeat(number));
        assert_eq!(reason(&many("(core module)", 201)), "it has 201 core modules or more, at most 200 are allowed");
        assert_eq!(reason(&many("(component)", 200)), "it has 201 components or more, at most 200 are allowed");
        let inner = |part: &str, number: usize| format!("(component (core module {}))", part.repeat(number));
        assert!(reason(&inner("(type (func))", 100_001)).contains("100001 types"));
        assert!(reason(&inner("(func)", 200_001)).contains("200001 functions"));
        assert!(reason(&inner("(global i32 (i32.const 0))", 100_001)).contains("100001 globals"));
        assert!(reason(&inner("(data \"\")", 100_001)).contains("100001 segments of data and elements"));
        let long = format!("(component (core module (func {})))", "(drop (i32.const 0))".repeat(400_000));
        assert_eq!(reason(&long), "one of its functions has 1200002 bytes, at most 1MiB are allowed");
        let name = "x".repeat(300);
        assert!(reason(&format!("(component (import \"{name}\" (func)))")).contains("imports has 300 bytes, at most 256"));
    }

    #[test]
    fn what_no_guest_needs_is_invalid_before_it_is_compiled() {
        for (code, what) in [
            ("(memory i64 1)", "memory64"),
            ("(memory 1) (memory 1)", "multiple memories"),
            ("(memory 1 1 shared)", "threads"),
            ("(type (struct))", "gc"),
            ("(func (drop (i32.add (i32.const 1) (i64.const 1))))", "type mismatch"),
        ] {
            let refused = reason(&format!("(component (core module {code}))"));
            assert!(refused.starts_with("it is not a valid component: ") && refused.contains(what), "{code}: {refused}");
        }
    }
}
