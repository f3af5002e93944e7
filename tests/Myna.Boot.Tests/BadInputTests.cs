namespace Myna.Boot.Tests;

/// <summary>An error is one or two lines that name the thing, the right exit status, and never a stack trace.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string File(string name, byte[] content)
    {
        string path = Path.Combine(_directory, name);
        System.IO.File.WriteAllBytes(path, content);
        return path;
    }

    private static void Refused(int status, string named, params string[] arguments)
    {
        Result result = MynaProgram.Run(arguments);
        Assert.Equal("", result.Output);
        Assert.StartsWith("myna: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.InRange(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 2);
        Assert.Equal(status, result.Status);
    }

    [Theory]
    [InlineData("--bogus", "run", "--bogus")]
    [InlineData("--cpus", "run", "--cpus", "0")]
    [InlineData("--memory", "run", "--memory", "12Q")]
    [InlineData("--memory", "run", "--memory", "900T")]
    [InlineData("--accel", "run", "--accel", "warp")]
    [InlineData("--net", "run", "--net", "token-ring")]
    [InlineData("--disk", "run", "--disk", "x,colour=red")]
    [InlineData("no command", "run", "--")]
    [InlineData("juggle", "juggle")]
    [InlineData("vax", "run", "--arch", "vax")]
    [InlineData("virtio-blk", "run", "--log", "nonsense")]
    [InlineData("--kernel-entry", "run", "--kernel-entry", "8")]
    public void Wrong_usage_gives_2(string named, params string[] arguments) => Refused(2, named, arguments);

    [Fact]
    public void A_missing_kernel() => Refused(1, "no-such-kernel", "run", "--kernel", "/no-such-kernel");

    [Fact]
    public void An_empty_kernel() => Refused(1, "empty", "run", "--kernel", File("empty", []));

    [Fact]
    public void A_directory_as_kernel() => Refused(1, _directory, "run", "--kernel", _directory);

    [Fact]
    public void A_truncated_kernel() => Refused(1, "cut", "run", "--kernel", File("cut", [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0]));

    [Fact]
    public void A_kernel_of_another_architecture() => Refused(1, "/bin/sh", "run", "--kernel", "/bin/sh");

    [Fact]
    public void An_initrd_larger_than_memory() =>
        Refused(1, "initrd", "run", "--memory", "64M", "--kernel", File("raw", new byte[4096]), "--initrd", File("initrd", new byte[80 << 20]));

    [Fact]
    public void A_missing_disk() => Refused(1, "no-such-disk", "run", "--disk", "/no-such-disk", "--kernel", File("raw", new byte[4096]));

    [Fact]
    public void A_trace_that_cannot_be_written() => Refused(1, "trace", "run", "--trace", "/no-such-directory/trace", "--kernel", File("raw", new byte[4096]));

    [Fact]
    public void A_signature_that_could_not_be_written() =>
        Refused(1, "signature", "run", "--firmware", "none", "--signature", "/no-such-directory/s", "--kernel", File("raw", new byte[4096]));

    [Theory]
    [InlineData("--gdb")]
    [InlineData("--monitor")]
    public void Addresses_that_are_none(string option) => Refused(2, "nowhere", "run", option, "nowhere", "--kernel", File("raw", new byte[4096]));
}
