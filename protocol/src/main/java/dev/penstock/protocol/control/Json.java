package dev.penstock.protocol.control;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Reader;
import java.util.Map;

/// Bounded reading and writing of JSON objects.
final class Json {
  private static final int MAX_DEPTH = 32;
  private static final int MAX_NUMBER_LENGTH = 64;

  // Names come from the peer: interning or remembering them would let it fill tables of the
  // process.
  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder()
                  .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                  .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(MAX_DEPTH)
                          .maxNumberLength(MAX_NUMBER_LENGTH)
                          .build())
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final ObjectReader MEMBER =
      MAPPER.readerFor(JsonNode.class).without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private Json() {}

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  static ObjectNode texts(Map<String, String> entries) {
    ObjectNode node = object();
    entries.forEach(node::put);
    return node;
  }

  static String write(JsonNode node) {
    try {
      return MAPPER.writeValueAsString(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a JSON tree could not be written", e);
    }
  }

  /// Reads one object; `what` names the whole text in errors.
  static JsonFields read(String what, String text, int maxLength) throws MalformedMessage {
    return new JsonFields("", readObject(what, text, maxLength));
  }

  /// As [#read], for objects whose members are looked at one by one.
  static ObjectNode readObject(String what, String text, int maxLength) throws MalformedMessage {
    if (text.length() > maxLength) {
      throw MalformedMessage.of(
          what, text.length() + " characters", "at most " + maxLength + " characters");
    }
    JsonNode node;
    try {
      node = MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw MalformedMessage.of(
          what,
          "no JSON" + place(e) + " in " + text,
          "one JSON object, nested at most " + MAX_DEPTH + " deep");
    }
    if (node instanceof ObjectNode object) {
      return object;
    }
    throw MalformedMessage.of(what, JsonFields.describe(node), "one JSON object");
  }

  /// For texts too long to be held as one tree.
  static JsonParser parser(Reader text) throws IOException {
    return MAPPER.createParser(text);
  }

  /// The value that begins at the parser's token.
  static JsonNode member(JsonParser at) throws IOException {
    return MEMBER.readTree(at);
  }

  static String place(JsonProcessingException e) {
    JsonLocation location = e.getLocation();
    return location == null
        ? ""
        : " at line " + location.getLineNr() + ", column " + location.getColumnNr();
  }
}
