package dev.penstock.gateway.leases;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.gateway.leases.LeaseStore.LeaseEvent;
import java.util.Locale;

/// One line of the journal, as JSON without a line break in it:
///
/// ```json
/// {"event":"journal","version":1,"highest_fencing":7}
/// {"event":"held","cluster":"lab","tunnel":"redis","transport":"tcp","port":16379,"fencing":7,"registration":"{}"}
/// {"event":"released","cluster":"lab","tunnel":"redis","transport":"tcp"}
/// ```
sealed interface JournalLine {
  int VERSION = 1;

  JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  /// The first line.
  record Header(long highestFencing) implements JournalLine {}

  /// Every other line.
  record Change(LeaseEvent event) implements JournalLine {}

  /// Not a line that [#write] makes.
  final class Malformed extends Exception {
    Malformed(String message) {
      super(message);
    }
  }

  static String write(JournalLine line) {
    ObjectNode json = JSON.createObjectNode();
    switch (line) {
      case Header(long highestFencing) ->
          json.put("event", "journal")
              .put("version", VERSION)
              .put("highest_fencing", highestFencing);
      case Change(LeaseEvent.Held(var lease)) ->
          key(json.put("event", "held"), lease.identity(), lease.transport())
              .put("port", lease.port())
              .put("fencing", lease.fencing())
              .put("registration", lease.registration());
      case Change(LeaseEvent.Released(var identity, var transport)) ->
          key(json.put("event", "released"), identity, transport);
    }
    return json.toString();
  }

  static JournalLine read(String text) throws Malformed {
    JsonNode json;
    try {
      json = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new Malformed("found no JSON");
    }
    return switch (string(json, "event")) {
      case "journal" -> {
        long version = number(json, "version", 1, Long.MAX_VALUE);
        if (version != VERSION) {
          throw new Malformed("version: " + version + " (expected: " + VERSION + ")");
        }
        yield new Header(number(json, "highest_fencing", 0, Long.MAX_VALUE));
      }
      case "held" ->
          new Change(
              new LeaseEvent.Held(
                  new Lease(
                      identity(json),
                      transport(json),
                      (int) number(json, "port", 1, 65_535),
                      number(json, "fencing", 1, Long.MAX_VALUE),
                      string(json, "registration"))));
      case "released" -> new Change(new LeaseEvent.Released(identity(json), transport(json)));
      default -> throw new Malformed("event: unknown (expected: journal, held or released)");
    };
  }

  private static ObjectNode key(ObjectNode json, TunnelIdentity identity, Transport transport) {
    return json.put("cluster", identity.cluster())
        .put("tunnel", identity.tunnelId())
        .put("transport", transport.name().toLowerCase(Locale.ROOT));
  }

  private static TunnelIdentity identity(JsonNode json) throws Malformed {
    return new TunnelIdentity(string(json, "cluster"), string(json, "tunnel"));
  }

  private static Transport transport(JsonNode json) throws Malformed {
    return switch (string(json, "transport")) {
      case "tcp" -> Transport.TCP;
      case "udp" -> Transport.UDP;
      default -> throw new Malformed("transport: unknown (expected: tcp or udp)");
    };
  }

  private static String string(JsonNode json, String field) throws Malformed {
    JsonNode value = json.path(field);
    if (!value.isTextual()) {
      throw new Malformed(field + ": missing (expected: a text)");
    }
    return value.textValue();
  }

  private static long number(JsonNode json, String field, long min, long max) throws Malformed {
    JsonNode value = json.path(field);
    if (!value.isIntegralNumber()
        || !value.canConvertToLong()
        || value.longValue() < min
        || value.longValue() > max) {
      throw new Malformed(
          field + ": missing or out of range (expected: a number from " + min + ")");
    }
    return value.longValue();
  }
}
