//! Runs every check over the repository. A finding says how to mend it.

use tidy::{
    Finding, dependencies, headers, imports, lines, links,
    sizes::{self, FILE_LINES_P95, FUNCTION_LINES_P95, Size},
    tree::{self, File},
    unfinished,
};

fn repository() -> Vec<File> {
    let files = tree::read(&tree::root()).expect("the repository can be read");
    assert!(
        files.iter().any(|file| file.path == "Cargo.toml"),
        "this is not the repository"
    );
    files
}

fn check(find: impl Fn(&[File]) -> Vec<Finding>) {
    let findings: Vec<String> = find(&repository()).iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "\n\n{}\n", findings.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    check(headers::check);
}

#[test]
fn files_and_functions_stay_small() {
    check(sizes::check);
}

#[test]
fn lines_fit_the_screen() {
    check(lines::check);
}

#[test]
fn dependencies_point_one_way() {
    check(imports::check);
}

#[test]
fn nothing_is_unfinished() {
    check(unfinished::check);
}

#[test]
fn links_lead_somewhere() {
    check(links::check);
}

#[test]
fn every_dependency_has_its_reason() {
    check(dependencies::check);
}

#[test]
fn most_files_and_functions_are_smaller_still() {
    let files = repository();
    let (by_file, by_function) = (sizes::files(&files), sizes::functions(&files));
    for (what, sizes, p95_max) in [
        ("files", &by_file, FILE_LINES_P95),
        ("functions", &by_function, FUNCTION_LINES_P95),
    ] {
        let p95 = sizes::percentile(sizes, 95);
        println!(
            "{} {what}: median {}, 95th percentile {p95}, largest {}",
            sizes.len(),
            sizes::percentile(sizes, 50),
            sizes
                .last()
                .map_or_else(String::new, |Size { lines, name, .. }| format!(
                    "{lines} ({name})"
                )),
        );
        assert!(
            p95 <= p95_max,
            "95 in 100 {what} have at most {p95} lines, not {p95_max}; split some"
        );
    }
}
