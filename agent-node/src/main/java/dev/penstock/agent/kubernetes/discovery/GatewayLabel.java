package dev.penstock.agent.kubernetes.discovery;

import java.util.Map;

/// The label that marks Gateways of other controllers whose listeners are to be tunnelled.
///
/// @param value what it must be
public record GatewayLabel(String key, String value) {
  private static final String DEFAULT_VALUE = "true";

  /// Reads `key` or `key=value`; the value is `true` where none is told.
  public static GatewayLabel parse(String text) {
    int equals = text.indexOf('=');
    return equals < 0
        ? new GatewayLabel(text, DEFAULT_VALUE)
        : new GatewayLabel(text.substring(0, equals), text.substring(equals + 1));
  }

  boolean marks(Map<String, String> labels) {
    return value.equals(labels.get(key));
  }
}
