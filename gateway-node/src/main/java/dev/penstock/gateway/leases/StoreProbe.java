package dev.penstock.gateway.leases;

import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;

/// Asks the database of a cluster what time it is: whether it can be reached, whether it takes user
/// and password, and whose clock differs. Blocks.
public final class StoreProbe {
  private StoreProbe() {}

  /// What the database said.
  ///
  /// @param time empty when it said nothing
  /// @param problem why it said nothing; empty when it did
  public record Answer(Optional<Instant> time, String problem) {}

  /// Asks once.
  ///
  /// @param settings with a URL
  public static Answer ask(StoreSettings settings, Duration patience) {
    String url = Objects.requireNonNull(settings.url());
    var properties = new Properties();
    if (settings.user() != null) {
      properties.put("user", settings.user());
    }
    if (settings.password() != null) {
      properties.put("password", settings.password().reveal());
    }
    int seconds = Math.toIntExact(Math.max(1, patience.toSeconds()));
    if (url.startsWith("jdbc:postgresql:")) {
      properties.put("loginTimeout", Integer.toString(seconds));
      properties.put("connectTimeout", Integer.toString(seconds));
      properties.put("socketTimeout", Integer.toString(seconds));
    }
    try (var connection = DriverManager.getConnection(url, properties);
        var statement = connection.createStatement();
        var rows = statement.executeQuery("SELECT CURRENT_TIMESTAMP")) {
      rows.next();
      return new Answer(Optional.of(rows.getTimestamp(1).toInstant()), "");
    } catch (SQLException e) {
      return new Answer(
          Optional.empty(), String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
    }
  }
}
