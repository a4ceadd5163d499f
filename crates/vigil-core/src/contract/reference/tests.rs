use super::*;
use std::path::Path;

#[test]
fn reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract.md");
    let page = reference();
    if std::env::var_os("VIGIL_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/contract.md is stale: run `VIGIL_WRITE_DOCS=1 cargo test -p vigil-core reference` and commit it"
    );
}

#[test]
fn reference_page_names_everything() {
    let page = reference();
    for key in Key::all() {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
    for metric in Metric::all() {
        assert!(page.contains(&format!("| `{}` |", metric.id())));
    }
    for kind in EventKind::all() {
        assert!(page.contains(&format!("### `{}`", kind.id())));
    }
    assert!(page.contains(SCHEMA_URL) && page.contains(GENAI_COMMIT));
}
