package dev.penstock.gateway.leases;

import dev.penstock.config.Kind;
import dev.penstock.config.Secret;
import dev.penstock.config.Section;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The database that a cluster of gateways keeps its leases in.
///
/// @param url `store.url`: a JDBC URL of PostgreSQL or H2, `jdbc:postgresql://db/penstock`; null
///   when there is none, which only a gateway of one node can do with
/// @param user `store.user`: whom the database knows; null when the URL says it or nobody must
/// @param password `store.password` or the content of the file at `store.password_file`
/// @param connections `store.connections`: that one node opens at most, 2 to 100; default 8
public record StoreSettings(
    @Nullable String url, @Nullable String user, @Nullable Secret password, int connections) {
  /// Without the password.
  @Override
  public String toString() {
    return "StoreSettings[url=" + url + ", user=" + user + "]";
  }

  /// The section `store`.
  public static StoreSettings of(Section section) {
    return new StoreSettings(
        section.find("url", jdbcUrl()).orElse(null),
        section.find("user", Kind.of("a name", "penstock", Optional::of)).orElse(null),
        section.findSecret("password").orElse(null),
        section.get("connections", Kind.integer(2, 100), 8));
  }

  private static Kind<String> jdbcUrl() {
    return Kind.of(
        "jdbc:postgresql://HOST/DATABASE or jdbc:h2:FILE",
        "jdbc:postgresql://db/penstock",
        text ->
            text.startsWith("jdbc:postgresql:") || text.startsWith("jdbc:h2:")
                ? Optional.of(text)
                : Optional.empty());
  }
}
