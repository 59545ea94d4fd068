package com.cosslice;

import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The Java side against the header. */
final class DriftTests {
    private DriftTests() {}

    private static String text(String path) throws Exception {
        Path root = Paths.get(System.getProperty("cosslice.test.root"));
        return new String(Files.readAllBytes(root.resolve(path)), "UTF-8");
    }

    /** The members of an enum, without what their names have in common. */
    private static Map<String, Integer> members(String name, String prefix) throws Exception {
        Matcher body = Pattern.compile("typedef enum cosslice_" + name + " \\{(.*?)\\} cosslice_" + name, Pattern.DOTALL)
                .matcher(text("include/cosslice.h"));
        that(body.find(), "enum cosslice_" + name);
        Map<String, Integer> members = new TreeMap<>();
        Matcher member = Pattern.compile("^ *" + prefix + "(\\w+) = (-?\\d+),$", Pattern.MULTILINE).matcher(body.group(1));
        while (member.find()) {
            members.put(member.group(1), Integer.valueOf(member.group(2)));
        }
        that(!members.isEmpty(), "members of cosslice_" + name);
        return members;
    }

    private static Map<String, Integer> constants(Class<?> type) throws Exception {
        Map<String, Integer> constants = new TreeMap<>();
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) && !field.getName().matches("(LAST|FIRST)_\\w+")) {
                field.setAccessible(true);
                constants.put(field.getName(), field.getInt(null));
            }
        }
        return constants;
    }

    private static void used(String type, Class<?> constants, String... sources) throws Exception {
        StringBuilder all = new StringBuilder();
        for (String source : sources) {
            all.append(text("bindings/android/src/main/java/com/cosslice/" + source));
        }
        for (String name : constants(constants).keySet()) {
            that(Pattern.compile("\\b" + type + "\\." + name + "\\b").matcher(all).find(), type + "." + name + " is not used");
        }
    }

    static void run() {
        test("statuses, and an exception for each", () -> {
            Map<String, Integer> codes = members("code", "COSSLICE_");
            same(codes, constants(Status.class), "statuses");
            TreeSet<String> classes = new TreeSet<>();
            for (Map.Entry<String, Integer> code : codes.entrySet()) {
                if (code.getValue() != 0) {
                    CossliceException e = CossliceException.of("x", new CossliceException.Details(code.getValue()));
                    same(code.getValue(), e.getStatus(), "status");
                    classes.add(e.getClass().getName());
                }
            }
            same(codes.size() - 1, classes.size(), "classes");
            that(!classes.contains(CossliceException.class.getName()), "each has its own");
        });
        test("options, each with a setter", () -> {
            same(members("option", "COSSLICE_OPT_"), constants(Option.class), "options");
            used("Option", Option.class, "Config.java");
        });
        test("infos, each with a getter", () -> {
            Map<String, Integer> infos = members("info", "COSSLICE_INFO_");
            same(infos, constants(Info.class), "infos");
            used("Info", Info.class, "Upload.java");
            for (int info : infos.values()) {
                boolean text = info <= Info.LAST_TEXT;
                that(text || (info >= Info.FIRST_NUMBER && info <= Info.LAST_NUMBER), "info " + info + " in a range");
            }
        });
        test("phases, levels, overwriting", () -> {
            Map<String, Integer> phases = new TreeMap<>();
            for (Phase phase : Phase.values()) {
                phases.put(phase.name(), phase.code);
                same(phase, Phase.of(phase.code), "phase");
            }
            same(members("phase", "COSSLICE_PHASE_"), phases, "phases");
            Map<String, Integer> levels = new TreeMap<>();
            for (LogLevel level : LogLevel.values()) {
                levels.put(level.name(), level.code);
                same(level, LogLevel.of(level.code), "level");
            }
            same(members("level", "COSSLICE_LOG_"), levels, "levels");
        });
        test("fields of a sign request, each handed over", () -> {
            String shim = text("bindings/android/src/main/cpp/cosslice_jni.c");
            for (String field : members("sign_field", "COSSLICE_SIGN_").keySet()) {
                that(shim.contains("COSSLICE_SIGN_" + field), field);
            }
        });
        test("functions, each used by the shim, but those that Java has no use for", () -> {
            String shim = text("bindings/android/src/main/cpp/cosslice_jni.c");
            Matcher function = Pattern.compile("\\b(cosslice_\\w+)\\(").matcher(
                    text("include/cosslice.h").replaceAll("//[^\\n]*", "").replaceAll("(?s)/\\*.*?\\*/", ""));
            int count = 0;
            while (function.find()) {
                that(Pattern.compile("\\b" + function.group(1) + "\\b").matcher(shim).find(), function.group(1));
                count++;
            }
            that(count >= 24, "functions in the header");
        });
        test("native methods, each registered", () -> {
            String shim = text("bindings/android/src/main/cpp/cosslice_jni.c");
            int count = 0;
            for (Method method : Native.class.getDeclaredMethods()) {
                if (Modifier.isNative(method.getModifiers())) {
                    that(shim.contains("{\"" + method.getName() + "\", "), method.getName());
                    count++;
                }
            }
            same(count, (int) Pattern.compile("^    \\{\"\\w+\", \"\\(", Pattern.MULTILINE).matcher(shim).results().count(),
                    "registered methods");
        });
        test("the version", () -> {
            Matcher version = Pattern.compile("^version = \"(.*)\"", Pattern.MULTILINE).matcher(text("Cargo.toml"));
            that(version.find(), "version");
            same(version.group(1), Config.libraryVersion(), "version");
        });
    }
}
