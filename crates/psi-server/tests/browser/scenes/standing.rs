//! psi as a program of the desktop: its manifest, its icons, and what stands there when it does not run.

use serde_json::json;

use super::{ask, begin, clean};
use crate::chrome::Chrome;

pub(crate) fn installed(chrome: &Chrome) {
    let (mut server, tab) = begin(chrome);
    let (manifest, errors) = tab.manifest();
    assert!(errors.is_empty(), "{errors:#?}");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["start_url"], "/");
    // Private windows are never installed from; nothing else stands against it.
    let against: Vec<String> =
        tab.installability().into_iter().filter(|e| e != "in-incognito").collect();
    assert!(against.is_empty(), "{against:?}");
    // The worker serves the whole page, and keeps files by their hash.
    tab.wait("navigator.serviceWorker.controller");
    let scope = "navigator.serviceWorker.ready.then(r => new URL(r.scope).pathname)";
    assert_eq!(tab.eval(scope), json!("/"));
    let kept = "caches.keys().then(names => Promise.all(names.map(n => caches.open(n).then(c => c.keys())))).then(all => all.flat().map(r => new URL(r.url)).map(u => u.pathname + (u.search ? '?h' : '')).sort().join())";
    let expected = "/assets/app.js?h,/assets/live.js?h,/assets/offline.html,/assets/psi.css?h";
    assert_eq!(tab.eval(kept), json!(expected));
    ask(&tab, "What was said is not kept by the browser");
    assert_eq!(tab.eval(kept), json!(expected));
    clean(&server, &tab);
    // psi ends: its address says how to start it, in psi's own looks.
    server.kill();
    tab.open(&server.at("/memory"));
    tab.sees("psi is not running");
    tab.sees("psi up");
    let looks = "getComputedStyle(document.querySelector('.btn.primary')).borderRadius";
    assert_eq!(tab.eval(looks), json!("9px"));
    server.restart();
    tab.click(".btn.primary");
    tab.wait("location.pathname === '/memory' && document.querySelector('#facts')");
}
