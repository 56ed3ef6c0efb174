#!/usr/bin/python3
"""The bill of materials of a build folder has the form of SPDX 2.3 and names what is linked: sbom_test.py BUILD SOURCE"""
import datetime
import json
import pathlib
import re
import sys
import unittest

BUILD, SOURCE = (pathlib.Path(word) for word in sys.argv[1:3])
ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+\Z")


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = json.loads((BUILD / "hanaper.spdx.json").read_text())
        cls.packages = {package["name"]: package for package in cls.document["packages"]}

    def test_the_document_has_what_spdx_wants_of_it(self):
        self.assertEqual(self.document["spdxVersion"], "SPDX-2.3")
        self.assertEqual(self.document["dataLicense"], "CC0-1.0")
        self.assertEqual(self.document["SPDXID"], "SPDXRef-DOCUMENT")
        self.assertRegex(self.document["documentNamespace"], r"^urn:uuid:[0-9a-f-]{36}$")
        creation = self.document["creationInfo"]
        self.assertLessEqual(datetime.datetime.strptime(creation["created"], "%Y-%m-%dT%H:%M:%SZ"), datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None))
        for creator in creation["creators"]:
            self.assertRegex(creator, r"^(Organization|Tool): \S")

    def test_each_package_has_what_spdx_wants_of_it(self):
        ids = [package["SPDXID"] for package in self.document["packages"]]
        self.assertEqual(len(ids), len(set(ids)))
        for package in self.document["packages"]:
            with self.subTest(package["name"]):
                self.assertRegex(package["SPDXID"], ID)
                self.assertRegex(package["versionInfo"], r"^[0-9]+\.[0-9][^\s]*$")
                self.assertEqual(package["downloadLocation"], "NOASSERTION")
                self.assertIs(package["filesAnalyzed"], False)
                self.assertNotIn(package["licenseDeclared"], ("", "NOASSERTION"))
                for reference in package.get("externalRefs", []):
                    self.assertEqual((reference["referenceCategory"], reference["referenceType"]), ("PACKAGE-MANAGER", "purl"))
                    self.assertRegex(reference["referenceLocator"], r"^pkg:deb/debian/[a-z0-9.+-]+@[0-9A-Za-z.%~_-]+$")

    def test_what_the_build_finds_is_named(self):
        text = (SOURCE / "CMakeLists.txt").read_text()
        found = set(re.findall(r"^find_package\((\w+)", text, re.M)) | set(re.findall(r"^pkg_check_modules\((\w+)", text, re.M))
        found |= {"LIBUNBOUND"} if "find_library(UNBOUND_LIBRARY" in text else set()
        known = {re.sub(r"[^a-z0-9]", "", name.lower()) for name in self.packages}
        spelt = {"tomlplusplus": "toml", "mariadb": "mariadbconnectorc", "postgresql": "libpq", "ldap": "openldap"}
        for name in sorted(found - {"Threads", "PkgConfig"}):
            self.assertIn(spelt.get(name.lower(), name.lower()), known, f"{name} is found by CMakeLists.txt; add it to HanaperSbom.cmake")

    def test_the_product_is_described_and_depends_on_the_others(self):
        relations = {(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in self.document["relationships"]}
        self.assertIn(("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-hanaper"), relations)
        for name, package in self.packages.items():
            if name != "hanaper":
                self.assertIn(("SPDXRef-hanaper", "DEPENDS_ON", package["SPDXID"]), relations)


unittest.main(argv=sys.argv[:1], verbosity=2)
