package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.Condition;
import dev.penstock.agent.kubernetes.objects.Condition.Status;

/// What a condition is to say, without the times.
record Verdict(String type, Status status, String reason, String message) {
  /// Words of a message, so that no author's text makes it longer than what the API takes.
  private static final int MAX_MESSAGE = 8 * 1024;

  Verdict {
    message = message.length() <= MAX_MESSAGE ? message : message.substring(0, MAX_MESSAGE);
  }

  static Verdict yes(String type, String reason, String message) {
    return new Verdict(type, Status.TRUE, reason, message);
  }

  static Verdict no(String type, String reason, String message) {
    return new Verdict(type, Status.FALSE, reason, message);
  }

  static Verdict unknown(String type, String reason, String message) {
    return new Verdict(type, Status.UNKNOWN, reason, message);
  }

  /// What a stored condition says.
  static Verdict of(Condition condition) {
    return new Verdict(
        condition.type(), condition.status(), condition.reason(), condition.message());
  }

  boolean isTrue() {
    return status == Status.TRUE;
  }
}
