"""Fetches a dependency that is made here, from where Fetch.cmake looks for one: an archive on a local server and in
a file, a package in a repository of Debian's form (with the real apt-get, if there is one), a local copy.
"""

import functools
import hashlib
import http.server
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CMAKE = os.environ.get("CMAKE_COMMAND", "cmake")
HAS_APT = shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None
SOURCES = """\
add_library(Treasure INTERFACE)
add_library(Treasure::Treasure ALIAS Treasure)
if(TREASURE_OPTION)
  target_compile_definitions(Treasure INTERFACE archive)
endif()
"""
PACKAGE = """\
add_library(Treasure::Treasure INTERFACE IMPORTED)
target_compile_definitions(Treasure::Treasure INTERFACE package)
"""
GOLD = os.urandom(1 << 20)  # does not compress


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Server(http.server.SimpleHTTPRequestHandler):
    """Of a folder; what is below /short is cut off, what is below /slow takes a minute."""

    def do_GET(self):
        kind, _, name = self.path.strip("/").partition("/")
        if kind not in ("short", "slow"):
            super().do_GET()
            return
        content = (pathlib.Path(self.directory) / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:len(content) // 2])
        self.wfile.flush()
        if kind == "slow":
            self.server.halfway.set()
            self.server.released.wait(60)

    def log_message(self, *arguments):
        pass


class FetchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.fetched = self.folder / "fetched"
        self.served = self.folder / "served"
        self.served.mkdir()
        # apt-get without sources, so that what these tests do not make is not there.
        self.environment = {**os.environ, "APT_CONFIG": str(self.apt_config(""))}
        self.environment.pop("Treasure_ROOT", None)

    def serve(self):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Server, directory=str(self.served)))
        server.halfway, server.released = threading.Event(), threading.Event()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(server.released.set)
        return server, f"http://127.0.0.1:{server.server_port}"

    def apt_config(self, sources):
        root = self.folder / "apt"
        (root / "lists/partial").mkdir(parents=True, exist_ok=True)
        (root / "sources.list").write_text(sources)
        config = root / "apt.conf"
        config.write_text(f'Dir::Etc::SourceList "{root}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
                          f'Dir::State::Lists "{root}/lists";\nDir::Cache "{root}";\n')
        return config

    def archive(self):
        source = self.folder / "treasure-1.0"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(SOURCES)
        (source / "gold").write_bytes(GOLD)
        path = self.served / "v1.0.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(source, source.name)
        return path

    def deb(self, name, files, depends=""):
        """A package, and the repository's index with it."""
        tree = self.folder / name
        for file, content in files.items():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).write_bytes(content)
        control = f"Package: {name}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        control += f"Depends: {depends}\n" if depends else ""
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(control + "Description: a test\n")
        path = self.served / f"{name}_1.0-1_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, path], check=True, capture_output=True)
        with open(self.served / "Packages", "a") as index:
            index.write(f"{control}Filename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {sha256(path)}\n"
                        "Description: a test\n\n")
        self.environment["APT_CONFIG"] = str(
            self.apt_config(f"deb [trusted=yes] copy:{self.served} ./\n"))
        return path

    def debs(self):
        self.deb("libtreasure1", {"usr/lib/gold": GOLD})
        return self.deb("libtreasure-dev", {"usr/share/cmake/Treasure/TreasureConfig.cmake": PACKAGE.encode()},
                        "libc6 (>= 2.36), libtreasure1 (= 1.0-1), libtreasure-other (= 2.0)")

    def command(self, *pairs):
        archive = ";".join(str(part) for pair in pairs for part in pair)
        return [CMAKE, f"-DARCHIVE={archive}", f"-DLINKED_NEURONS_FETCH_DIR={self.fetched}", "-P",
                str(HERE / "fetch.cmake")]

    def run_fetch(self, *pairs, before=""):
        command = self.command(*pairs)
        if before:
            command = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
        return subprocess.run(command, text=True, capture_output=True, env=self.environment)

    def expect_fetched(self, *pairs):
        result = self.run_fetch(*pairs)
        self.assertEqual(result.returncode, 0, result.stderr)
        [line] = [line for line in result.stdout.splitlines() if "folder=" in line]
        return pathlib.Path(line.partition("folder=")[2])

    def expect_failure(self, *says, pairs, before=""):
        result = self.run_fetch(*pairs, before=before)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        text = " ".join(result.stderr.split())
        for part in ("Treasure could not be had", "Install Debian's package libtreasure-dev", "Treasure_ROOT", *says):
            self.assertIn(part, text)
        self.assertEqual(result.stderr.count("CMake Error at"), 1, result.stderr)
        self.expect_nothing_left()

    def expect_nothing_left(self):
        left = [path.name for path in self.fetched.iterdir()]
        self.assertLessEqual(set(left), {"lock", "apt-lists"})

    # What works.

    def test_archive_from_a_server(self):
        path = self.archive()
        server, url = self.serve()
        folder = self.expect_fetched((f"{url}/{path.name}", sha256(path)))
        self.assertEqual((folder / "gold").read_bytes(), GOLD)
        server.shutdown()
        self.assertEqual(self.expect_fetched((f"{url}/{path.name}", sha256(path))), folder)  # no second time

    def test_archive_from_a_file(self):
        path = self.archive()
        folder = self.expect_fetched((path.as_uri(), sha256(path)))
        self.assertEqual((folder / "gold").read_bytes(), GOLD)

    def test_several_files(self):
        pairs = []
        for name in ("a.gz", "b.gz"):
            path = self.served / name
            path.write_text(name)
            pairs.append((path.as_uri(), sha256(path)))
        folder = self.expect_fetched(*pairs)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["a.gz", "b.gz"])

    @unittest.skipUnless(HAS_APT, "no apt-get and dpkg-deb")
    def test_package(self):
        self.debs()
        folder = self.expect_fetched(("file:///nowhere.tar.gz", "0"))
        self.assertEqual((folder / "usr/lib/gold").read_bytes(), GOLD)  # of the package that it depends on
        self.assertTrue((folder / "usr/share/cmake/Treasure/TreasureConfig.cmake").exists())

    # Through find_or_fetch().

    def expect_configured(self, source, *pairs, **variables):
        archive = ";".join(str(part) for pair in pairs for part in pair)
        result = subprocess.run(
            [CMAKE, "-S", HERE / "project", "-B", self.folder / "build", f"-DARCHIVE={archive}",
             f"-DLINKED_NEURONS_FETCH_DIR={self.fetched}"],
            text=True, capture_output=True, env={**self.environment, **variables})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"from={source}", result.stdout)

    def test_target_of_an_archive(self):
        path = self.archive()
        self.expect_configured("archive", (path.as_uri(), sha256(path)))

    @unittest.skipUnless(HAS_APT, "no apt-get and dpkg-deb")
    def test_target_of_a_package(self):
        self.debs()
        self.expect_configured("package", ("file:///nowhere.tar.gz", "0"))

    def test_target_of_a_local_copy(self):
        self.archive()
        self.expect_configured("archive", Treasure_ROOT=str(self.folder / "treasure-1.0"))
        config = self.folder / "installed/share/cmake/Treasure/TreasureConfig.cmake"
        config.parent.mkdir(parents=True)
        config.write_text(PACKAGE)
        shutil.rmtree(self.folder / "build")
        self.expect_configured("package", Treasure_ROOT=str(self.folder / "installed"))
        self.assertFalse(self.fetched.exists())

    # What fails, leaves nothing, and works the next time.

    def expect_recovery(self, path):
        folder = self.expect_fetched((path.as_uri(), sha256(path)))
        self.assertEqual((folder / "gold").read_bytes(), GOLD)

    def test_unreachable(self):
        path = self.archive()
        server, url = self.serve()
        server.shutdown()
        server.server_close()
        self.expect_failure(f"{url}/{path.name}:", "onnect", pairs=[(f"{url}/{path.name}", sha256(path))])
        self.expect_recovery(path)

    def test_truncated(self):
        path = self.archive()
        _, url = self.serve()
        self.expect_failure(f"{url}/short/{path.name}:", "partial",
                            pairs=[(f"{url}/short/{path.name}", sha256(path))])
        self.expect_recovery(path)

    def test_wrong_hash(self):
        path = self.archive()
        self.expect_failure("expected the SHA-256 " + "0" * 64, sha256(path), pairs=[(path.as_uri(), "0" * 64)])
        self.expect_recovery(path)

    def test_no_archive(self):
        path = self.served / "v1.0.tar.gz"
        path.write_bytes(GOLD)
        self.expect_failure(path.as_uri(), "cmake failed", pairs=[(path.as_uri(), sha256(path))])
        path.unlink()
        self.expect_recovery(self.archive())

    def test_full_disk(self):
        path = self.archive()
        _, url = self.serve()
        # A file of more than 256 KiB cannot be written, and the process is told so, not ended.
        self.expect_failure(f"{url}/{path.name}:", pairs=[(f"{url}/{path.name}", sha256(path))],
                            before="trap '' XFSZ; ulimit -f 512")
        self.expect_recovery(path)

    def test_interrupted(self):
        path = self.archive()
        server, url = self.serve()
        process = subprocess.Popen(self.command((f"{url}/slow/{path.name}", sha256(path))), env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(server.halfway.wait(60))
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.released.set()
        self.expect_recovery(path)

    @unittest.skipUnless(HAS_APT, "no apt-get and dpkg-deb")
    def test_damaged_package(self):
        package = self.debs()
        content = package.read_bytes()
        for damaged in (content[:-100], content[:-100] + bytes(100)):
            package.write_bytes(damaged)
            self.expect_failure("Debian's package libtreasure-dev: apt-get failed",
                                pairs=[("file:///nowhere.tar.gz", "0")])
        package.write_bytes(content)
        self.expect_fetched(("file:///nowhere.tar.gz", "0"))

    @unittest.skipUnless(HAS_APT, "no apt-get and dpkg-deb")
    def test_no_such_package(self):
        self.expect_failure("Debian's package libtreasure-dev: apt-get failed", "Unable to locate package",
                            pairs=[("file:///nowhere.tar.gz", "0")])


class ImagesTest(unittest.TestCase):
    """cmake/project/FashionMnist.cmake with a local copy. (The real images come where the demo runs.)"""

    def expect_failure(self, *says):
        result = subprocess.run(
            [CMAKE, f"-DOUTPUT_DIR={self.folder}/output", f"-DLINKED_NEURONS_DATA_DIR={self.folder}", "-P",
             HERE.parent.parent / "cmake/project/FashionMnist.cmake"], text=True, capture_output=True)
        self.assertNotEqual(result.returncode, 0)
        for part in ("LINKED_NEURONS_DATA_DIR", *says):
            self.assertIn(part, " ".join(result.stderr.split()))
        self.assertEqual(os.listdir(f"{self.folder}/output"), [])

    def test_local_copy(self):
        with tempfile.TemporaryDirectory() as self.folder:
            file = pathlib.Path(self.folder) / "train-images-idx3-ubyte"
            self.expect_failure("holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz")
            file.write_bytes(GOLD)
            self.expect_failure("expected 47040016 bytes (unpacked), got 1048576")
            file.rename(f"{file}.gz")
            self.expect_failure("train-images-idx3-ubyte.gz: cannot be unpacked")


class PipTest(unittest.TestCase):
    """What cmake/project/PyPI.cmake installs."""

    def install(self, package, **variables):
        script = pathlib.Path(self.folder) / "pip.cmake"
        script.write_text(f"""
cmake_minimum_required(VERSION 3.25)
set(PROJECT_BINARY_DIR "{self.folder}")
include("{HERE.parent.parent}/cmake/project/PyPI.cmake")
_linked_neurons_pip("{self.folder}/environment" problem {package})
message(STATUS "problem=${{problem}}=")
""")
        return subprocess.run([CMAKE, "-P", script], text=True, capture_output=True,
                              env={**os.environ, **variables}).stdout

    def test_recovers(self):
        with tempfile.TemporaryDirectory() as self.folder:
            nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.folder}
            self.assertIn("problem=pip could not install treasure==1.0", self.install("treasure==1.0", **nowhere))
            self.assertFalse((pathlib.Path(self.folder) / "environment").exists())
            info = {"METADATA": "Metadata-Version: 2.1\nName: treasure\nVersion: 1.0\n",
                    "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                    "RECORD": ""}
            with zipfile.ZipFile(f"{self.folder}/treasure-1.0-py3-none-any.whl", "w") as wheel:
                for name, text in info.items():
                    wheel.writestr(f"treasure-1.0.dist-info/{name}", text)
            self.assertIn("problem==", self.install("treasure==1.0", **nowhere))
            self.assertNotIn("installing", self.install("treasure==1.0"))  # it is there


if __name__ == "__main__":
    unittest.main()
