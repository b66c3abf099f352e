/// The command that knows the settings of every node, which no node may.
@NullMarked
package dev.penstock.testkit.config;

import org.jspecify.annotations.NullMarked;
