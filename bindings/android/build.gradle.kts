// An Android library (AAR). CMake builds the shim for each ABI, and has cargo build libcosslice for it.
plugins {
    id("com.android.library") version "8.7.3"
    id("org.jetbrains.kotlin.android") version "2.1.0"
}

val rustAbis = (findProperty("cosslice.abis") as String? ?: "arm64-v8a,armeabi-v7a,x86_64").split(",")

android {
    namespace = "com.cosslice"
    compileSdk = 35

    defaultConfig {
        minSdk = 21
        consumerProguardFiles("consumer-rules.pro")
        ndk { abiFilters += rustAbis }
        externalNativeBuild {
            cmake { arguments += "-DCOSSLICE_CARGO=${findProperty("cosslice.cargo") ?: "cargo"}" }
        }
    }

    externalNativeBuild {
        cmake {
            path = file("src/main/cpp/CMakeLists.txt")
            version = "3.22.1"
            buildStagingDirectory = file("../../build/android-cxx")
        }
    }

    // Everything generated goes below build/ of the checkout, as for the other languages.
    layout.buildDirectory.set(file("../../build/android-gradle"))

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
}

dependencies {
    // Only for apps that use Upload.await and Upload.progress; those have coroutines anyway.
    compileOnly("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.8.1")
}
