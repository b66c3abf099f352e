package dev.penstock.protocol.control;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Which trace something belongs to, and which span of it is the one around: what W3C Trace Context
/// calls `traceparent`, of a trace that is recorded.
///
/// @param traceId 32 hexadecimal digits in lower case, not all of them 0
/// @param spanId 16 of them, not all of them 0
public record TraceContext(String traceId, String spanId) {
  private static final Pattern TEXT =
      Pattern.compile("00-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-[0-9a-f]{2}");

  /// A new trace with its first span. No argument but `high` may be 0.
  public static TraceContext of(long high, long low, long span) {
    return new TraceContext(hex(high) + hex(low), hex(span));
  }

  /// Another span of the same trace.
  ///
  /// @param span anything but 0
  public TraceContext with(long span) {
    return new TraceContext(traceId, hex(span));
  }

  private static String hex(long value) {
    return String.format(Locale.ROOT, "%016x", value);
  }

  /// As it is sent.
  String format() {
    return "00-" + traceId + "-" + spanId + "-01";
  }

  /// Reads what [#format] writes.
  static TraceContext parse(String text) throws MalformedMessage {
    Matcher parts = TEXT.matcher(text);
    if (!parts.matches()) {
      throw MalformedMessage.of("trace", '"' + text + '"', "a traceparent of version 00");
    }
    return new TraceContext(parts.group(1), parts.group(2));
  }
}
