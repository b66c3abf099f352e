package dev.penstock.access;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import dev.penstock.protocol.control.MalformedMessage;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// Who may connect, and how often: what an `access` section says and what a tunnel's registration
/// carries as annotations. Immutable.
///
/// @param allow who may connect; empty lets everybody
/// @param deny who may not, whatever `allow` says
/// @param maxConnectionsPerSource connections of one source at a time, 0 for no limit
/// @param newConnectionsPerSecond of one source, as many at once after a second of silence; 0 for
///   no limit
/// @param maxConnections connections of all sources together at a time, 0 for no limit
public record AccessRules(
    List<Cidr> allow,
    List<Cidr> deny,
    int maxConnectionsPerSource,
    int newConnectionsPerSecond,
    int maxConnections) {
  /// Everybody may connect, as often as they like.
  public static final AccessRules EVERYBODY = new AccessRules(List.of(), List.of(), 0, 0, 0);

  /// Nobody may connect.
  public static final AccessRules NOBODY =
      new AccessRules(
          List.of(),
          List.of(
              new Cidr(InetAddress.ofLiteral("0.0.0.0"), 0),
              new Cidr(InetAddress.ofLiteral("::"), 0)),
          0,
          0,
          0);

  /// The most blocks of one list: each new connection is held against all of them.
  public static final int MAX_BLOCKS = 256;

  static final String ALLOW = "penstock.dev/allow";
  static final String DENY = "penstock.dev/deny";
  static final String MAX_CONNECTIONS_PER_SOURCE = "penstock.dev/max-connections-per-source";
  static final String NEW_CONNECTIONS_PER_SECOND = "penstock.dev/new-connections-per-second";

  static final String MAX_CONNECTIONS = "penstock.dev/max-connections";

  private static final String ANNOTATIONS = "annotations";
  private static final int MOST_CONNECTIONS = 1_000_000;
  private static final int MAX_RATE = 100_000;

  public AccessRules {
    allow = List.copyOf(allow);
    deny = List.copyOf(deny);
    requireShort("allow", allow);
    requireShort("deny", deny);
    requireWithin("maxConnectionsPerSource", maxConnectionsPerSource, MOST_CONNECTIONS);
    requireWithin("newConnectionsPerSecond", newConnectionsPerSecond, MAX_RATE);
    requireWithin("maxConnections", maxConnections, MOST_CONNECTIONS);
  }

  /// Reads an `access` section; one that is not there lets everybody.
  public static AccessRules of(Section section) {
    return new AccessRules(
        section.list("allow", Cidr.kind(), MAX_BLOCKS),
        section.list("deny", Cidr.kind(), MAX_BLOCKS),
        section.get("max_connections_per_source", Kind.integer(0, MOST_CONNECTIONS), 0),
        section.get("new_connections_per_second", Kind.integer(0, MAX_RATE), 0),
        section.get("max_connections", Kind.integer(0, MOST_CONNECTIONS), 0));
  }

  /// Reads the annotations of a registration; those of others are none of its business.
  ///
  /// @throws MalformedMessage names the annotation
  public static AccessRules of(Map<String, String> annotations) throws MalformedMessage {
    return new AccessRules(
        blocks(annotations, ALLOW),
        blocks(annotations, DENY),
        number(annotations, MAX_CONNECTIONS_PER_SOURCE, MOST_CONNECTIONS),
        number(annotations, NEW_CONNECTIONS_PER_SECOND, MAX_RATE),
        number(annotations, MAX_CONNECTIONS, MOST_CONNECTIONS));
  }

  /// What [#of(Map)] reads; nothing for what is left open.
  public Map<String, String> annotations() {
    var annotations = new LinkedHashMap<String, String>();
    if (!allow.isEmpty()) {
      annotations.put(ALLOW, text(allow));
    }
    if (!deny.isEmpty()) {
      annotations.put(DENY, text(deny));
    }
    if (maxConnectionsPerSource > 0) {
      annotations.put(MAX_CONNECTIONS_PER_SOURCE, Integer.toString(maxConnectionsPerSource));
    }
    if (newConnectionsPerSecond > 0) {
      annotations.put(NEW_CONNECTIONS_PER_SECOND, Integer.toString(newConnectionsPerSecond));
    }
    if (maxConnections > 0) {
      annotations.put(MAX_CONNECTIONS, Integer.toString(maxConnections));
    }
    return annotations;
  }

  /// Whether a list holds the address.
  public static boolean anyContains(List<Cidr> blocks, InetAddress address) {
    for (Cidr block : blocks) {
      if (block.contains(address)) {
        return true;
      }
    }
    return false;
  }

  /// The smaller of two limits of which 0 is none.
  public static int stricter(int one, int other) {
    return one == 0 ? other : other == 0 ? one : Math.min(one, other);
  }

  private static String text(List<Cidr> blocks) {
    return blocks.stream().map(Cidr::toString).collect(Collectors.joining(","));
  }

  /// Separated by commas, with or without spaces.
  private static List<Cidr> blocks(Map<String, String> annotations, String key)
      throws MalformedMessage {
    String text = annotations.get(key);
    var blocks = new ArrayList<Cidr>();
    if (text == null) {
      return blocks;
    }
    // An annotation without a block is refused: empty, it would let everybody in.
    for (String part : text.split(",", MAX_BLOCKS + 1)) {
      Optional<Cidr> block = Cidr.parse(part.strip());
      if (block.isEmpty() || blocks.size() == MAX_BLOCKS) {
        throw MalformedMessage.ofEntry(
            ANNOTATIONS,
            key,
            '"' + part + '"',
            "at most " + MAX_BLOCKS + " of: " + Cidr.EXPECTED + ", with commas between");
      }
      blocks.add(block.get());
    }
    return blocks;
  }

  private static int number(Map<String, String> annotations, String key, int max)
      throws MalformedMessage {
    String text = annotations.getOrDefault(key, "0").strip();
    if (!text.matches("[0-9]{1,7}") || Integer.parseInt(text) > max) {
      throw MalformedMessage.ofEntry(ANNOTATIONS, key, '"' + text + '"', "0 to " + max);
    }
    return Integer.parseInt(text);
  }

  private static void requireShort(String name, List<Cidr> blocks) {
    if (blocks.size() > MAX_BLOCKS) {
      throw new IllegalArgumentException(
          name + ": " + blocks.size() + " blocks (expected: at most " + MAX_BLOCKS + ")");
    }
  }

  private static void requireWithin(String name, int value, int max) {
    if (value < 0 || value > max) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: 0.." + max + ")");
    }
  }
}
