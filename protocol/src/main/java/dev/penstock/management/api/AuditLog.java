package dev.penstock.management.api;

import dev.penstock.live.EventLog;
import dev.penstock.management.access.Caller;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What operators asked for: a line of the logger `dev.penstock.audit` for each action, whatever
/// came of it, and an event. The last ones are kept. Safe for use by several threads.
public final class AuditLog {
  private static final Logger log = LoggerFactory.getLogger("dev.penstock.audit");

  private final EventLog entries;
  private final EventLog events;

  /// @param prefix of the entries' ids
  /// @param events get one for each action
  public AuditLog(String prefix, EventLog events) {
    this.entries = new EventLog(prefix + "-a");
    this.events = events;
  }

  /// The last entries, the latest first.
  public EventLog entries() {
    return entries;
  }

  void acted(
      Caller caller, String from, String action, String subject, boolean done, String detail) {
    String outcome = done ? "done" : "refused";
    log.atInfo()
        .addKeyValue("who", caller.name())
        .addKeyValue("from", from)
        .addKeyValue("action", action)
        .addKeyValue("subject", subject)
        .addKeyValue("outcome", outcome)
        .addKeyValue("detail", detail)
        .log("an operator acted");
    entries.add(
        action,
        Map.of(
            "who", caller.name(),
            "from", from,
            "action", action,
            "subject", subject,
            "outcome", outcome,
            "detail", detail));
    events.add(
        "action",
        Map.of(
            "reason",
            action,
            "detail",
            caller.name() + " from " + from + ": " + subject + ": " + outcome + ": " + detail));
  }
}
