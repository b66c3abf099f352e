package dev.penstock.protocol.control;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// All tunnels that an agent knows: the body of `POST
/// /api/v1/clusters/agent/{cluster}/tunnels/sync`. The original sends its entries without service,
/// labels and annotations.
///
/// @param clusterUuid may be empty: the path names the cluster too
/// @param entries in the order received
public record TunnelSync(String clusterUuid, List<Entry> entries) {
  /// Bytes of the longest body that is read.
  public static final int MAX_BYTES = 16 * 1024 * 1024;

  /// Tunnels in one body.
  public static final int MAX_ENTRIES = 20_000;

  private static final String WHAT = "sync";
  private static final int MAX_UUID = 253;

  /// One member of the list.
  public sealed interface Entry {
    /// A tunnel.
    record Tunnel(TunnelRegistration registration) implements Entry {}

    /// What makes no sense by itself; the others are none the worse for it.
    ///
    /// @param tunnelId empty when that could not be read either
    record Unreadable(String tunnelId, String reason) implements Entry {}
  }

  public TunnelSync {
    entries = List.copyOf(entries);
  }

  /// Whether every entry says at least which tunnel it means, so that a tunnel without an entry is
  /// known to be missing.
  public boolean isComplete() {
    return entries.stream()
        .noneMatch(entry -> entry instanceof Entry.Unreadable(var id, _) && id.isEmpty());
  }

  /// The body of a sync that names these tunnels, whole as for a registration.
  public static String encode(String clusterUuid, List<TunnelRegistration> tunnels) {
    ObjectNode node = Json.object().put("cluster_uuid", clusterUuid);
    var list = node.putArray("tunnels");
    tunnels.forEach(tunnel -> list.add(tunnel.jsonWithWish()));
    return Json.write(node);
  }

  /// Reads a body in UTF-8 of at most [#MAX_BYTES] with at most [#MAX_ENTRIES] tunnels, of any
  /// field but the two ignored.
  public static TunnelSync decode(byte[] body) throws MalformedMessage {
    if (body.length > MAX_BYTES) {
      throw MalformedMessage.of(WHAT, body.length + " bytes", "at most " + MAX_BYTES + " bytes");
    }
    var utf8 =
        new InputStreamReader(new ByteArrayInputStream(body), StandardCharsets.UTF_8.newDecoder());
    try (JsonParser json = Json.parser(utf8)) {
      TunnelSync sync = read(json);
      if (json.nextToken() != null) {
        throw MalformedMessage.of(WHAT, "more after its end", "one JSON object");
      }
      return sync;
    } catch (JsonProcessingException e) {
      var start = new String(body, 0, Math.min(body.length, 100), StandardCharsets.ISO_8859_1);
      throw MalformedMessage.of(
          WHAT, "no JSON" + Json.place(e) + " in " + start, "one JSON object");
    } catch (CharacterCodingException _) {
      throw MalformedMessage.of(WHAT, "no UTF-8", "one JSON object in UTF-8");
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    }
  }

  private static TunnelSync read(JsonParser json) throws IOException, MalformedMessage {
    if (json.nextToken() != JsonToken.START_OBJECT) {
      throw MalformedMessage.of(WHAT, "no object", "one JSON object");
    }
    String clusterUuid = "";
    List<Entry> entries = null;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String field = json.currentName();
      json.nextToken();
      switch (field) {
        case "cluster_uuid" -> clusterUuid = clusterUuid(json);
        case "tunnels" -> {
          if (entries != null) {
            throw MalformedMessage.of("tunnels", "two of them", "one array of tunnels");
          }
          entries = entries(json);
        }
        default -> json.skipChildren();
      }
    }
    if (entries == null) {
      throw MalformedMessage.of("tunnels", "missing", "an array of tunnels");
    }
    return new TunnelSync(clusterUuid, entries);
  }

  private static String clusterUuid(JsonParser json) throws IOException, MalformedMessage {
    ObjectNode fields = Json.object();
    fields.set("cluster_uuid", Json.member(json));
    return new JsonFields("", fields).text("cluster_uuid", MAX_UUID);
  }

  private static List<Entry> entries(JsonParser json) throws IOException, MalformedMessage {
    if (json.currentToken() != JsonToken.START_ARRAY) {
      throw MalformedMessage.of("tunnels", "no array", "an array of tunnels");
    }
    var entries = new ArrayList<Entry>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (entries.size() == MAX_ENTRIES) {
        throw MalformedMessage.of(
            "tunnels", "more than " + MAX_ENTRIES, "at most " + MAX_ENTRIES + " in one sync");
      }
      entries.add(entry(Json.member(json)));
    }
    return entries;
  }

  private static Entry entry(@Nullable JsonNode value) {
    if (!(value instanceof ObjectNode object)) {
      return new Entry.Unreadable(
          "", "tunnel: " + (value == null ? "null" : kind(value)) + " (expected: an object)");
    }
    var fields = new JsonFields("", object);
    try {
      return new Entry.Tunnel(TunnelRegistration.decode(fields));
    } catch (MalformedMessage e) {
      return new Entry.Unreadable(idOf(fields), String.valueOf(e.getMessage()));
    }
  }

  private static String kind(JsonNode value) {
    return value.isArray() ? "an array" : "no object";
  }

  private static String idOf(JsonFields fields) {
    try {
      return TunnelRegistration.tunnelId(fields);
    } catch (MalformedMessage _) {
      return "";
    }
  }
}
