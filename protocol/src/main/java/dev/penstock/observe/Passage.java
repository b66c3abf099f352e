package dev.penstock.observe;

import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.TraceContext;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// One connection or flow that is over, as told to the [AccessLog]: who, where, how much, how long
/// each step took and why it ended. Belongs to whoever makes it until it is written.
public final class Passage {
  /// What passed. The text is the message of the line.
  public enum Kind {
    CONNECTION("a connection ended", "connection"),
    FLOW("a UDP flow ended", "UDP flow"),
    RELAYED_CONNECTION("a relayed connection ended", "relayed connection"),
    RELAYED_FLOW("a relayed UDP flow ended", "relayed UDP flow"),
    /// It was reset, or dropped, without being carried.
    REFUSED("a connection was refused", "refused connection");

    private final String text;
    private final String span;

    Kind(String text, String span) {
      this.text = text;
      this.span = span;
    }

    /// The name of its span.
    String span() {
      return span;
    }

    String text() {
      return text;
    }
  }

  /// A step on the way to the service, and how its duration is called.
  public enum Step {
    /// From the connection's arrival until its tunnel took it up.
    ACCEPT("acceptMs", "accept"),
    /// From there until a stream to an agent was opened, failed tries included.
    CHOOSE("chooseMs", "choose"),
    /// From there until the service was reached; at the agent, from the stream's arrival.
    DIAL("dialMs", "dial"),
    /// From the beginning until the first byte of the service was here.
    FIRST_BYTE("firstByteMs", "first byte");

    private final String key;
    private final String span;

    Step(String key, String span) {
      this.key = key;
      this.span = span;
    }

    /// The name of its span.
    String span() {
      return span;
    }
  }

  /// A key and its value.
  record Field(String key, Object value) {}

  /// A step that was made; nanoseconds of the monotonic clock.
  record Made(Step step, long from, long until) {}

  private final Kind kind;
  private final long startedAt;
  private final List<Field> fields = new ArrayList<>(16);
  private final List<Made> steps = new ArrayList<>(4);
  private @Nullable TraceContext trace;
  private @Nullable String parent;
  private long endedAt;

  /// @param startedAt nanoseconds of the monotonic clock
  public Passage(Kind kind, long startedAt) {
    this.kind = kind;
    this.startedAt = startedAt;
  }

  /// Adds what is known of it; nothing for null and for an empty text. The value's text must not
  /// change: it is made later, on another thread.
  public Passage with(String key, @Nullable Object value) {
    if (value != null && !"".equals(value)) {
      fields.add(new Field(key, value));
    }
    return this;
  }

  /// Adds a step, unless it was not made.
  ///
  /// @param from nanoseconds of the monotonic clock, as `until`; 0 for a moment that never came
  public Passage step(Step step, long from, long until) {
    if (from != 0 && until != 0) {
      steps.add(new Made(step, from, until));
    }
    return this;
  }

  /// Makes it part of a trace; nothing for null.
  ///
  /// @param own the trace, with the span that the passage itself is
  /// @param above the span around it, of the same trace; null where it is the first
  public Passage traced(@Nullable TraceContext own, @Nullable TraceContext above) {
    trace = own;
    parent = above == null ? null : above.spanId();
    return this;
  }

  @Nullable TraceContext trace() {
    return trace;
  }

  /// The id of the span around it.
  @Nullable String parent() {
    return parent;
  }

  long startedAt() {
    return startedAt;
  }

  long endedAt() {
    return endedAt;
  }

  List<Made> steps() {
    return steps;
  }

  void end(long now) {
    endedAt = now;
  }

  Kind kind() {
    return kind;
  }

  /// All there is to tell, in the order of the line.
  List<Field> told() {
    var told = new ArrayList<Field>(fields.size() + steps.size() + 1);
    for (Field field : fields) {
      told.add(new Field(field.key(), plain(field.value())));
    }
    for (Made made : steps) {
      told.add(new Field(made.step().key, milliseconds(made.until() - made.from())));
    }
    told.add(new Field("durationMs", milliseconds(endedAt - startedAt)));
    if (trace != null) {
      told.add(new Field("traceId", trace.traceId()));
    }
    return told;
  }

  /// Numbers as they are; addresses as people write them, constants in lower case.
  private static Object plain(Object value) {
    return switch (value) {
      case Integer number -> number;
      case Long number -> number;
      case InetSocketAddress address -> HostPort.show(address);
      case Enum<?> constant -> label(constant);
      default -> value.toString();
    };
  }

  private static String label(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  private static double milliseconds(long nanos) {
    return Math.round(nanos / 1e3) / 1e3;
  }
}
