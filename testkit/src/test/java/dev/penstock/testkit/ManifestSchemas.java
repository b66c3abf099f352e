package dev.penstock.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What the projects whose kinds the manifests use publish about them, and our own kinds.
/// `manifest-schemas.json` is written by `src/test/go/manifest-schemas`.
///
/// Stricter than an API server that is not asked for strictness: a field that no schema knows is a
/// problem, because it would be dropped without a word.
final class ManifestSchemas {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Set<String> ANY_OF_THEM = Set.of("anyOf", "oneOf", "allOf", "not");

  private final JsonSchemaFactory factory =
      JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V7);
  private final Map<String, ObjectNode> kinds = new HashMap<>();
  private final Map<String, JsonSchema> compiled = new HashMap<>();
  private final ObjectNode definitions;

  /// @param ownKinds our own CustomResourceDefinitions
  ManifestSchemas(List<JsonNode> ownKinds) throws IOException {
    JsonNode published;
    try (InputStream file = ManifestSchemas.class.getResourceAsStream("/manifest-schemas.json")) {
      published = JSON.readTree(file);
    }
    definitions = (ObjectNode) published.path("definitions");
    definitions.forEach(definition -> beStrict((ObjectNode) definition));
    published
        .path("kinds")
        .properties()
        .forEach(kind -> {
          var schema = (ObjectNode) kind.getValue();
          if (!schema.has("$ref")) {
            beStrictAtTheTop(schema);
          }
          kinds.put(kind.getKey(), schema);
        });
    for (JsonNode crd : ownKinds) {
      for (JsonNode version : crd.path("spec").path("versions")) {
        ObjectNode schema = version.path("schema").path("openAPIV3Schema").deepCopy();
        beStrictAtTheTop(schema);
        kinds.put(
            "%s/%s %s"
                .formatted(
                    crd.path("spec").path("group").asText(),
                    version.path("name").asText(),
                    crd.path("spec").path("names").path("kind").asText()),
            schema);
      }
    }
  }

  /// What is wrong with an object; empty when nothing is.
  List<String> problems(JsonNode object) {
    String version = object.path("apiVersion").asText();
    String kind =
        (version.contains("/") ? version : "/" + version) + " " + object.path("kind").asText();
    if (!kinds.containsKey(kind)) {
      return List.of(kind + ": no schema (expected: one of " + kinds.keySet() + ")");
    }
    return compiled.computeIfAbsent(kind, this::compile).validate(object).stream()
        .map(problem -> problem.getInstanceLocation() + ": " + problem.getMessage())
        .sorted()
        .toList();
  }

  private JsonSchema compile(String kind) {
    ObjectNode schema = kinds.get(kind).deepCopy();
    if (schema.has("$ref")) {
      // Of a reference only itself counts, so the definitions are beside one that is a part.
      schema = JSON.createObjectNode().set("allOf", JSON.createArrayNode().add(schema));
    }
    schema.set("definitions", definitions);
    return factory.getSchema(schema);
  }

  /// The schema of a custom kind says of metadata no more than that it is an object.
  private static void beStrictAtTheTop(ObjectNode schema) {
    beStrict(schema);
    var properties = (ObjectNode) schema.path("properties");
    properties.putObject("apiVersion").put("type", "string");
    properties.putObject("kind").put("type", "string");
    properties
        .putObject("metadata")
        .put("$ref", "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
  }

  /// The validator has no words for what begins with `x-`.
  private static void beStrict(ObjectNode schema) {
    if (schema.path("format").asText().equals("int-or-string")
        || schema.path("x-kubernetes-int-or-string").asBoolean()) {
      schema.remove("format");
      schema.remove("anyOf");
      schema.putArray("type").add("string").add("integer");
    }
    if (schema.path("properties") instanceof ObjectNode properties) {
      properties.forEach(property -> beStrict((ObjectNode) property));
      if (!schema.has("additionalProperties")
          && !schema.path("x-kubernetes-preserve-unknown-fields").asBoolean()) {
        schema.put("additionalProperties", false);
      }
    }
    for (String below : List.of("items", "additionalProperties")) {
      if (schema.path(below) instanceof ObjectNode part) {
        beStrict(part);
      }
    }
    for (String parts : ANY_OF_THEM) {
      if (schema.path(parts) instanceof ArrayNode all && schema.has("properties")) {
        // They narrow what is beside them, so they name but some of its properties.
        all.forEach(part -> ((ObjectNode) part).remove("additionalProperties"));
      }
    }
    schema.properties().stream()
        .map(Map.Entry::getKey)
        .filter(key -> key.startsWith("x-"))
        .toList()
        .forEach(schema::remove);
  }
}
