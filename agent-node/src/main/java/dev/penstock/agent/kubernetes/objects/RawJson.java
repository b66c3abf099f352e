package dev.penstock.agent.kubernetes.objects;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.util.Arrays;

/// A part of an object as the server sent it or is to get it, kept as text: trees of thousands of
/// statuses, most of which are never looked at again, would take several times the memory.
/// Immutable.
public final class RawJson {
  private static final ObjectMapper JSON = JsonMapper.builder().build();

  static final RawJson MISSING = new RawJson(new byte[0]);

  /// Empty for what is missing.
  private final byte[] text;

  private RawJson(byte[] text) {
    this.text = text;
  }

  /// The text of a tree; missing when it is.
  public static RawJson of(JsonNode node) {
    return node.isMissingNode() ? MISSING : new RawJson(node.toString().getBytes(UTF_8));
  }

  /// A tree of it that may be changed; missing when it is.
  public JsonNode tree() {
    try {
      return text.length == 0 ? MissingNode.getInstance() : JSON.readTree(toString());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("what was written can be read", e);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RawJson that && Arrays.equals(text, that.text);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(text);
  }

  /// The text itself.
  @Override
  public String toString() {
    return new String(text, UTF_8);
  }
}
