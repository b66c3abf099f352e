package dev.penstock.protocol.control;

import static java.util.stream.Collectors.collectingAndThen;
import static java.util.stream.Collectors.joining;
import static java.util.stream.Collectors.toCollection;

import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// An extension of the original protocol. It is used on a link only when both ends named it: the
/// agent in the query parameter [#QUERY_PARAMETER] and in its `gateway_hello_ack`, the gateway in
/// its `gateway_hello`. A peer that knows none of them ignores the names.
public enum Capability {
  /// Datagrams in a stream have a 16 bit length in front, so that their boundaries survive.
  UDP_FRAMES("udp-frames"),
  /// The agent begins each stream with a [DialStatus].
  DIAL_STATUS("dial-status"),
  /// The gateway sends the client's address in the [StreamHeader].
  CALLER_ADDRESS("caller-address"),
  /// The gateway asks the agent to link elsewhere before it closes a link, and an agent that ends
  /// asks for no more streams: [ControlMessage.Drain].
  DRAIN("drain"),
  /// Tunnels in JSON messages have sequence numbers and flow control.
  CREDITS("credits"),
  /// The gateway says which of its nodes this is and which others there are: in its hello and in
  /// [ControlMessage.Nodes].
  NODES("nodes"),
  /// The gateway opens a small stream now and then, [StreamHeader#CANARY], which the agent answers
  /// from itself.
  CANARY("canary"),
  /// The gateway says in the [StreamHeader] which trace a connection belongs to. Both ends name it
  /// only while they trace.
  TRACE_CONTEXT("trace-context");

  /// Where the agent's offer stands in the URL of the gateway socket, as a comma-separated list.
  public static final String QUERY_PARAMETER = "capabilities";

  private static final Pattern COMMA = Pattern.compile(",");

  private final String wireName;

  Capability(String wireName) {
    this.wireName = wireName;
  }

  public String wireName() {
    return wireName;
  }

  /// Reads a comma-separated list; names that are not known are left out.
  ///
  /// @param list `null` when the peer sent none
  public static Set<Capability> parse(@Nullable String list) {
    return list == null ? Set.of() : known(COMMA.splitAsStream(list).map(String::strip).toList());
  }

  /// The capabilities among these names.
  static Set<Capability> known(Collection<String> names) {
    return Arrays.stream(values())
        .filter(capability -> names.contains(capability.wireName))
        .collect(collectingAndThen(toCollection(Capability::none), Collections::unmodifiableSet));
  }

  /// The comma-separated list of the wire names, in the order of the constants.
  public static String format(Set<Capability> capabilities) {
    return capabilities.stream().sorted().map(Capability::wireName).collect(joining(","));
  }

  /// What both ends named, and so what may be used.
  public static Set<Capability> common(Set<Capability> ours, Set<Capability> theirs) {
    EnumSet<Capability> both = none();
    both.addAll(ours);
    both.retainAll(theirs);
    return Collections.unmodifiableSet(both);
  }

  /// An unchangeable copy in the order of the constants.
  static Set<Capability> copyOf(Set<Capability> capabilities) {
    return common(capabilities, capabilities);
  }

  private static EnumSet<Capability> none() {
    return EnumSet.noneOf(Capability.class);
  }
}
