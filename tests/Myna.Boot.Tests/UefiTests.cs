using System.Diagnostics;

namespace Myna.Boot.Tests;

/// <summary>EDK II from Debian's packages, to its shell.</summary>
public sealed class UefiTests
{
    [Theory]
    [InlineData("x86_64", "256M")]
    [InlineData("riscv64", "2G")]
    public void UEFI_reaches_its_shell_and_keeps_variables(string arch, string memory)
    {
        string folder = Directory.CreateTempSubdirectory("myna-test-").FullName, variables = Path.Combine(folder, "vars.fd");
        // A vendor's name space: that of the specification takes its own names alone (UEFI 2.10, section 3.3).
        const string Guid = "-guid 4c0f65a1-7d4e-4a4e-9f3b-6d796e610001";
        string[] options = ["--arch", arch, "--uefi-vars", variables, "--memory", memory];
        try
        {
            // A cold reset in between; then another machine with the same file.
            string first = Shell(options, $"setvar Greeting {Guid} -nv -bs =S\"myna\"", "reset -c", $"setvar Greeting {Guid}", "reset -s");
            Assert.Contains("6D 79 6E 61", first, StringComparison.Ordinal);
            Assert.Contains("6D 79 6E 61", Shell(options, $"setvar Greeting {Guid}", "reset -s"), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("ahci", "Sata\\(0x0")]
    [InlineData("virtio", "PciRoot\\(0x0\\)/Pci\\(0x1,0x0\\)")]
    [InlineData("scsi", "Scsi\\(0x0,0x0\\)")]
    [InlineData("nvme", "NVMe\\(0x1")]
    public void UEFI_finds_a_disk(string controller, string path)
    {
        string disk = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(disk, new byte[1 << 20]);
            Assert.Matches(path, Shell(["--arch", "x86_64", "--memory", "256M", "--disk", $"{disk},if={controller}"], "map -b", "reset -s"));
        }
        finally
        {
            File.Delete(disk);
        }
    }

    /// <summary>Port 92h, the keyboard controller, port CF9h: the shell comes back each time.</summary>
    [Fact]
    public void UEFI_starts_again_after_a_reset_by_any_port()
        => Assert.Equal(5, Shell(["--arch", "x86_64", "--memory", "256M"], "mm 92 1 -w 1 -IO -n", "mm 64 FE -w 1 -IO -n", "mm CF9 6 -w 1 -IO -n", "reset -s").Split("in 5 seconds").Length);

    private static string Shell(string[] options, params string[] commands)
    {
        using Process process = MynaProgram.Start(["run", "--firmware", "uefi", "--net", "none", .. options]);
        _ = process.StandardError.ReadToEndAsync();
        using var timer = new Timer(_ => process.Kill(entireProcessTree: true), null, TimeSpan.FromMinutes(4), Timeout.InfiniteTimeSpan);
        string seen = "";
        int next = 0, from = 0;
        while (process.StandardOutput.Read() is int c and >= 0)
        {
            seen += (char)c;
            bool countdown = seen.IndexOf("in 5 seconds", from, StringComparison.Ordinal) >= 0;
            if (!countdown && (seen.IndexOf("Shell> ", from, StringComparison.Ordinal) < 0 || next == commands.Length))
                continue;
            from = seen.Length;
            // Any key ends the countdown in front of the first prompt.
            process.StandardInput.Write(countdown ? "x" : commands[next++] + "\r");
            process.StandardInput.Flush();
        }
        process.WaitForExit();
        Assert.Equal(commands.Length, next);
        Assert.Equal(0, process.ExitCode);
        return seen;
    }
}
