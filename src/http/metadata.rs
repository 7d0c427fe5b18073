//! `$metadata` and the service document (PROTOCOL 116, 117, 132).

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::json;

use super::graph::{Asking, Graph, json};
use super::media;
use crate::wire;

/// The service document.
pub(super) fn service(asking: &Asking<'_>) -> Response {
    let set = &asking.graph.set;
    let document = json!({
        "@odata.context": format!("{}/$metadata", asking.call.root),
        "value": [{ "name": set, "kind": "EntitySet", "url": set }],
    });
    json(document.to_string())
}

/// The declarations of Graph, with non-null members as they are here, and full type names: python-odata
/// resolves no alias.
pub(super) fn document(graph: &Graph) -> Response {
    let Graph { set, declared, .. } = graph;
    let derived = if declared == wire::ONENOTE_OPERATION { ONENOTE } else { "" };
    let text = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="microsoft.graph" xmlns="http://docs.oasis-open.org/odata/ns/edm">
{OPERATION}{derived}      <Action Name="cancel" IsBound="true">
        <Parameter Name="operation" Type="{declared}" Nullable="false"/>
      </Action>
      <Action Name="start" IsBound="true">
        <Parameter Name="operation" Type="{declared}" Nullable="false"/>
        <Parameter Name="holder" Type="Edm.String"/>
        <ReturnType Type="{declared}" Nullable="false"/>
      </Action>
      <EntityContainer Name="GraphService">
        <EntitySet Name="{set}" EntityType="{declared}"/>
      </EntityContainer>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
"#
    );
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, media::XML);
    response
}

const OPERATION: &str = r#"      <EnumType Name="operationStatus">
        <Member Name="NotStarted" Value="0"/>
        <Member Name="Running" Value="1"/>
        <Member Name="Completed" Value="2"/>
        <Member Name="Failed" Value="3"/>
      </EnumType>
      <EntityType Name="entity" Abstract="true">
        <Key>
          <PropertyRef Name="id"/>
        </Key>
        <Property Name="id" Type="Edm.String" Nullable="false"/>
      </EntityType>
      <EntityType Name="operation" BaseType="microsoft.graph.entity">
        <Property Name="status" Type="microsoft.graph.operationStatus" Nullable="false"/>
        <Property Name="createdDateTime" Type="Edm.DateTimeOffset" Nullable="false" Precision="7"/>
        <Property Name="lastActionDateTime" Type="Edm.DateTimeOffset" Nullable="false" Precision="7"/>
      </EntityType>
"#;

const ONENOTE: &str = r#"      <ComplexType Name="onenoteOperationError">
        <Property Name="code" Type="Edm.String"/>
        <Property Name="message" Type="Edm.String"/>
      </ComplexType>
      <EntityType Name="onenoteOperation" BaseType="microsoft.graph.operation">
        <Property Name="error" Type="microsoft.graph.onenoteOperationError"/>
        <Property Name="percentComplete" Type="Edm.String"/>
        <Property Name="resourceId" Type="Edm.String"/>
        <Property Name="resourceLocation" Type="Edm.String"/>
      </EntityType>
"#;
