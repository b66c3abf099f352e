/// What an agent can be told, by file, variables and options.
@NullMarked
package dev.penstock.agent.settings;

import org.jspecify.annotations.NullMarked;
