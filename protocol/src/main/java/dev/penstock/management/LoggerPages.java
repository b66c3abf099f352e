package dev.penstock.management;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.config.Units;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.Cancellable;
import org.apache.pekko.actor.typed.ActorSystem;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// The levels of the process's loggers, to be changed while it runs: `GET` tells those that have a
/// level of their own, `PUT` of a name with `level` gives it another for the time `for`, `DELETE`
/// the one that it had. The logger of all is `root`; that of a package stands for all in it. A
/// level that was changed is the old one again after the time, which is an hour where none is said
/// and for ever at `for=0s`. At most [#MAX_CHANGED] loggers differ at a time, and only those are
/// taken that the process has, or that are packages of such: a name costs memory. Thread-safe.
public final class LoggerPages implements ManagementServer.Items {
  /// Loggers with a changed level.
  static final int MAX_CHANGED = 100;

  private static final Duration USUAL = Duration.ofHours(1);
  private static final Duration LONGEST = Duration.ofDays(7);
  private static final org.slf4j.Logger log = LoggerFactory.getLogger(LoggerPages.class);
  private static final Set<String> LEVELS =
      Set.of("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF");

  private final ActorSystem<?> actors;
  private final LoggerContext loggers = (LoggerContext) LoggerFactory.getILoggerFactory();

  /// Guarded by this.
  private final Map<String, Changed> changed = new HashMap<>();

  /// @param before null where the logger had none of its own
  /// @param until null for ever
  private record Changed(
      @Nullable Level before, @Nullable Instant until, @Nullable Cancellable end) {}

  public LoggerPages(ActorSystem<?> actors) {
    this.actors = actors;
  }

  @Override
  public synchronized CompletionStage<ManagementServer.Answer> list() {
    var list = JsonNodeFactory.instance.objectNode();
    var names = new TreeSet<String>(changed.keySet());
    for (Logger logger : loggers.getLoggerList()) {
      if (logger.getLevel() != null) {
        names.add(nameOf(logger));
      }
    }
    var items = list.putArray("loggers");
    names.forEach(name -> items.add(describe(name)));
    return done(list.toString());
  }

  @Override
  public synchronized CompletionStage<ManagementServer.Answer> put(
      String name, Map<String, String> query) {
    String level = query.getOrDefault("level", "").toUpperCase(Locale.ROOT);
    if (!LEVELS.contains(level)) {
      return refused(
          400,
          "level: "
              + quoted(query.get("level"))
              + " (expected: trace, debug, info, warn, error or off)");
    }
    Optional<Duration> time =
        query.containsKey("for")
            ? Units.duration(query.getOrDefault("for", ""))
            : Optional.of(USUAL);
    if (time.isEmpty() || time.get().isNegative() || time.get().compareTo(LONGEST) > 0) {
      return refused(
          400,
          "for: "
              + quoted(query.get("for"))
              + " (expected: a duration up to 168h, such as 15m, or 0s for ever)");
    }
    Logger logger = loggers.exists(name.equals("root") ? Logger.ROOT_LOGGER_NAME : name);
    if (logger == null) {
      return refused(
          404,
          "logger: "
              + quoted(name)
              + " (expected: root, or one of this process, as its log names it with its package)");
    }
    Changed old = changed.get(name);
    if (old == null && changed.size() >= MAX_CHANGED) {
      return refused(
          409, "loggers: " + MAX_CHANGED + " have a changed level (expected: fewer; DELETE one)");
    }
    if (old != null && old.end() != null) {
      old.end().cancel();
    }
    Level before = old == null ? logger.getLevel() : old.before();
    changed.put(name, lasting(name, before, time.get()));
    logger.setLevel(Level.toLevel(level));
    log.atInfo()
        .addKeyValue("logger", name)
        .addKeyValue("level", level)
        .addKeyValue("seconds", time.get().toSeconds())
        .log("the level of a logger was changed");
    return done(describe(name).toString());
  }

  private Changed lasting(String name, @Nullable Level before, Duration time) {
    if (time.isZero()) {
      return new Changed(before, null, null);
    }
    return new Changed(
        before,
        Instant.now().plus(time),
        actors.scheduler().scheduleOnce(time, () -> restore(name), actors.executionContext()));
  }

  @Override
  public CompletionStage<ManagementServer.Answer> remove(String name) {
    restore(name);
    return done("");
  }

  private synchronized void restore(String name) {
    Changed was = changed.remove(name);
    if (was == null) {
      return;
    }
    if (was.end() != null) {
      was.end().cancel();
    }
    loggers.getLogger(name.equals("root") ? Logger.ROOT_LOGGER_NAME : name).setLevel(was.before());
    log.atInfo().addKeyValue("logger", name).log("a logger has its own level again");
  }

  private ObjectNode describe(String name) {
    Logger logger = loggers.getLogger(name.equals("root") ? Logger.ROOT_LOGGER_NAME : name);
    var told = JsonNodeFactory.instance.objectNode();
    told.put("name", name).put("level", word(logger.getEffectiveLevel()));
    Changed now = changed.get(name);
    if (now != null) {
      told.put("configured", now.before() == null ? null : word(now.before()));
      told.put("until", now.until() == null ? null : now.until().toString());
    }
    return told;
  }

  private static String word(Level level) {
    return level.toString().toLowerCase(Locale.ROOT);
  }

  private static String nameOf(Logger logger) {
    return logger.getName().equals(Logger.ROOT_LOGGER_NAME) ? "root" : logger.getName();
  }

  private static String quoted(@Nullable String found) {
    return found == null ? "nothing" : '"' + found + '"';
  }

  private static CompletionStage<ManagementServer.Answer> done(String json) {
    return CompletableFuture.completedFuture(new ManagementServer.Answer.Done(json));
  }

  private static CompletionStage<ManagementServer.Answer> refused(int status, String detail) {
    return CompletableFuture.completedFuture(
        new ManagementServer.Answer.Refused(status, detail, Duration.ZERO));
  }
}
