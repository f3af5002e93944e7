using Myna.Machines.Guests;

namespace Myna.Machines.Tests.Guests;

public class AptSourceTests
{
    [Fact]
    public void Deb822_keeps_the_mirror_and_the_keyring_and_skips_what_is_not_debian_main()
    {
        AptSource? source = AptSource.ParseDeb822("""
            # A comment
            Types: deb
            URIs: http://other.example/node
            Suites: nodistro
            Components: main

            Types: deb
            URIs: http://mirror.example/debian-security
            Suites: bookworm-security
            Components: main

            Types: deb deb-src
            # http://old.example/archive
            URIs: http://mirror.example/debian
            Suites: bookworm bookworm-updates
            Components: main contrib
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
            """.Split('\n'));

        Assert.NotNull(source);
        Assert.Equal("http://mirror.example/debian", source.Uri);
        Assert.Equal([("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")], source.Options);
        Assert.Equal("""
            Types: deb
            URIs: http://mirror.example/debian
            Suites: trixie
            Components: main
            Architectures: riscv64
            Targets: Packages
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

            """.ReplaceLineEndings("\n"), source.ToDeb822("trixie", "riscv64"));
    }

    [Fact]
    public void A_host_without_apt_has_no_source() => Assert.Null(AptSource.FromHost("/nonexistent/etc/apt"));

    [Fact]
    public void An_embedded_key_survives()
    {
        AptSource? source = AptSource.ParseDeb822(
            ["Types: deb", "URIs: http://m/", "Suites: sid", "Components: main", "Signed-By:", " -----BEGIN PGP", " .", " xyz"]);
        Assert.NotNull(source);
        Assert.Contains("\n -----BEGIN PGP\n .\n xyz", source.ToDeb822("sid", "amd64"), StringComparison.Ordinal);
    }

    [Fact]
    public void Disabled_stanzas_do_not_count() =>
        Assert.Null(AptSource.ParseDeb822(["Types: deb", "URIs: http://m/", "Suites: sid", "Components: main", "Enabled: no"]));

    [Theory]
    [InlineData("deb http://m.example/debian trixie main contrib", "http://m.example/debian")]
    [InlineData("deb [arch=amd64 signed-by=/k.gpg] http://m.example/d/ stable main # note", "http://m.example/d/")]
    [InlineData("deb\thttp://m.example/debian\tsid\tmain", "http://m.example/debian")]
    public void One_line_sources_are_read(string line, string uri) => Assert.Equal(uri, AptSource.ParseList(["", "# x", line])?.Uri);

    [Theory]
    [InlineData("deb-src http://m.example/debian trixie main")]
    [InlineData("# deb http://m.example/debian trixie main")]
    [InlineData("deb http://archive.ubuntu.com/ubuntu noble main")]
    [InlineData("deb http://security.debian.org trixie-security main")]
    [InlineData("deb [arch=amd64 http://m.example/debian trixie main")]
    [InlineData("deb")]
    public void Other_lines_are_not(string line) => Assert.Null(AptSource.ParseList([line]));

    [Fact]
    public void Options_of_a_line_are_kept() =>
        Assert.Equal([("Signed-By", "/k.gpg"), ("Trusted", "yes")], AptSource.ParseList(["deb [signed-by=/k.gpg trusted=yes lang=none] http://m sid main"])?.Options);
}
