//! URL → operation → access, for every endpoint.

use http::Request;
use wharf_auth::{Access, Operation};

use super::*;

fn read(line: &str) -> Result<Op, Error> {
    let (method, uri) = line.split_once(' ').unwrap();
    parse(&Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0)
}

#[test]
fn every_endpoint_is_understood_and_asks_for_its_access() {
    let table = [
        ("GET /helm/team/charts/index.yaml", "index.read", "team/charts pull"),
        ("HEAD /helm/team/charts/index.yaml", "index.read", "team/charts pull"),
        ("GET /helm/team/charts/charts/a-1.0.0.tgz", "chart.read", "team/charts pull"),
        ("GET /helm/team/charts/charts/a-1.0.0+b.tgz.prov", "chart.read", "team/charts pull"),
        ("GET /helm/team/charts/a-1.0.0.tgz", "chart.read", "team/charts pull"),
        ("PUT /helm/team/charts/charts/a-1.0.0.tgz", "chart.add", "team/charts push"),
        ("PUT /helm/team/charts/a-1.0.0.tgz.prov", "provenance.add", "team/charts push"),
        ("DELETE /helm/team/charts/charts/a-1.0.0.tgz", "chart.remove", "team/charts delete"),
        ("GET /helm/team/charts/setup", "setup.read", "team/charts view"),
        ("GET /helm/team/a/b/setup", "setup.read", "team/a/b view"),
        ("GET /helm/team/charts/health", "health.read", "team/charts view"),
        ("GET /helm/team/charts/api/charts", "charts.list", "team/charts pull"),
        ("POST /helm/team/charts/api/charts?force", "chart.add", "team/charts push"),
        ("POST /helm/team/charts/api/prov", "provenance.add", "team/charts push"),
        ("HEAD /helm/team/charts/api/charts/a", "chart.versions", "team/charts pull"),
        ("GET /helm/team/charts/api/charts/a/1.0.0", "chart.describe", "team/charts pull"),
        ("DELETE /helm/team/charts/api/charts/a/1.0.0", "chart.remove", "team/charts delete"),
        ("GET /helm/team/charts/api/charts/a/latest/templates", "chart.templates", "team/charts pull"),
        ("GET /helm/team/charts/api/charts/a/1.0.0/values", "chart.values", "team/charts pull"),
        // Repositories of more segments, and names that look like endpoints.
        ("GET /helm/team/a/b/index.yaml", "index.read", "team/a/b pull"),
        ("GET /helm/team/a/b/charts/x-1.tgz", "chart.read", "team/a/b pull"),
        ("POST /helm/team/a/b/api/charts", "chart.add", "team/a/b push"),
        ("GET /helm/team/api/api/charts", "charts.list", "team/api pull"),
        ("GET /helm/api/charts/index.yaml", "index.read", "api/charts pull"),
        ("GET /helm/team/charts/api/charts/charts/1.0.0", "chart.describe", "team/charts pull"),
        ("GET /helm/default/charts/index.yaml", "index.read", "default/charts pull"),
        // ChartMuseum with several repositories.
        ("POST /helm/api/team/charts/charts", "chart.add", "team/charts push"),
        ("POST /helm/api/team/charts/prov", "provenance.add", "team/charts push"),
        // Gitea.
        ("POST /api/packages/team/helm/api/charts", "chart.add", "team/helm push"),
        ("POST /api/packages/team/helm/api/prov", "provenance.add", "team/helm push"),
        ("GET /api/packages/team/helm/index.yaml", "index.read", "team/helm pull"),
        ("GET /api/packages/team/helm/a-1.0.0.tgz", "chart.read", "team/helm pull"),
        ("GET /api/packages/team/helm/charts/a-1.0.0.tgz", "chart.read", "team/helm pull"),
        // GitLab.
        ("POST /api/v4/projects/team/packages/helm/api/stable/charts", "chart.add", "team/stable push"),
        ("POST /api/v4/projects/team%2Fapp/packages/helm/api/stable/charts", "chart.add", "team/app/stable push"),
        ("GET /api/v4/projects/team/packages/helm/stable/index.yaml", "index.read", "team/stable pull"),
        ("GET /api/v4/projects/team/packages/helm/stable/charts/a-1.0.0.tgz", "chart.read", "team/stable pull"),
        // Nexus.
        ("PUT /repository/charts/a-1.0.0.tgz", "chart.add", "default/charts push"),
        ("PUT /repository/team:charts/sub/a-1.0.0.tgz.prov", "provenance.add", "team/charts push"),
        ("POST /repository/team:charts/", "chart.add", "team/charts push"),
        ("POST /service/rest/v1/components?repository=team:charts", "chart.add", "team/charts push"),
        ("GET /repository/team:charts/index.yaml", "index.read", "team/charts pull"),
        ("GET /repository/team:charts/charts/a-1.0.0.tgz", "chart.read", "team/charts pull"),
        ("DELETE /repository/team:charts/a-1.0.0.tgz", "chart.remove", "team/charts delete"),
        // Artifactory.
        ("PUT /artifactory/team:charts/sub/a-1.0.0.tgz;prop=x", "chart.add", "team/charts push"),
        ("GET /artifactory/api/helm/team:charts/index.yaml", "index.read", "team/charts pull"),
        ("GET /artifactory/api/helm/team:charts/charts/a-1.0.0.tgz", "chart.read", "team/charts pull"),
        ("GET /artifactory/charts/index.yaml", "index.read", "default/charts pull"),
    ];
    for (line, name, access) in table {
        let op = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let Access::Repository { format, name: repository, verb } = op.access() else { panic!("{line}") };
        assert_eq!((op.name(), format!("{} {verb}", repository.full()).as_str()), (name, access), "{line}");
        assert_eq!(format, crate::NAME);
    }
}

#[test]
fn wishes_are_read_from_the_query() {
    let added = |line| match read(line).unwrap() {
        Op::Add { force, wait, file, .. } => (force, wait, file),
        other => panic!("{other:?}"),
    };
    assert_eq!(added("POST /helm/a/b/api/charts?force"), (true, false, None));
    assert_eq!(added("POST /helm/a/b/api/charts?force=true&wait=1"), (true, true, None));
    assert_eq!(added("POST /helm/a/b/api/charts?force=false"), (false, false, None));
    assert_eq!(added("PUT /helm/a/b/c-1+d.tgz"), (false, false, Some("c-1+d.tgz".to_owned())));
    let listed = read("GET /helm/a/b/api/charts?offset=3&limit=2").unwrap();
    assert!(matches!(listed, Op::ListCharts { offset: 3, limit: Some(2), .. }));
}

#[test]
fn what_is_not_understood_is_said_so() {
    for (line, expected) in [
        ("GET /helm", "NoSuchPath"),
        ("GET /helm/", "NoSuchPath"),
        ("GET /helm/team", "NoSuchPath"),
        ("GET /helm/team/charts", "NoSuchPath"),
        ("GET /helm/team/index.yaml", "NoSuchPath"),
        ("GET /helm/team/charts/a.zip", "NoSuchPath"),
        ("GET /helm/team/charts/charts/a.zip", "NoSuchPath"),
        ("GET /helm/team/charts/api", "NoSuchPath"),
        ("GET /helm/team/charts/api/charts/a/1/other", "NoSuchPath"),
        ("GET /helm/team/Charts/index.yaml", "Name"),
        ("GET /helm/../charts/index.yaml", "Name"),
        ("GET /helm/team/a%2Fb/index.yaml", "BadPath"),
        ("GET /helm/team/charts/charts/a%00.tgz", "BadPath"),
        ("POST /helm/team/charts/index.yaml", "MethodNotAllowed"),
        ("PUT /helm/team/charts/setup", "MethodNotAllowed"),
        ("PUT /helm/team/charts/api/charts", "MethodNotAllowed"),
        ("GET /helm/team/charts/api/prov", "MethodNotAllowed"),
        ("POST /helm/team/charts/api/charts/a", "MethodNotAllowed"),
        ("POST /helm/team/charts/charts/a-1.tgz", "MethodNotAllowed"),
        ("GET /helm/team/charts/api/charts?limit=many", "BadNumber"),
        ("PUT /repository/charts/a.rpm", "NoSuchPath"),
        ("PUT /artifactory/charts/pool/a.deb;deb.distribution=x", "NoSuchPath"),
        ("POST /api/v4/projects/%FF/packages/helm/api/stable/charts", "BadPath"),
        ("POST /api/v4/projects/..%2F..%2Fa/packages/helm/api/stable/charts", "Name"),
    ] {
        let said = format!("{:?}", read(line).expect_err(line));
        assert!(said.starts_with(expected), "{line}: {said}");
    }
}
