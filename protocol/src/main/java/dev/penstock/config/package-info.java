/// Reading of YAML settings: every problem of a file at once, each with its line, key, what was
/// found and what is expected.
@NullMarked
package dev.penstock.config;

import org.jspecify.annotations.NullMarked;
