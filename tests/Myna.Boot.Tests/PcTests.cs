using System.Diagnostics;

namespace Myna.Boot.Tests;

/// <summary>The boards with x86-64 processors, with Debian's kernel as a user starts it.</summary>
public class PcTests
{
    [Theory]
    [InlineData("microvm", 1)]
    [InlineData("microvm", 2)]
    [InlineData("q35", 1)]
    [InlineData("q35", 2)]
    public void A_command_runs_with_network_and_all_processors(string board, int cpus)
    {
        Result result = MynaProgram.Run("run", "--machine", board, "--cpus", $"{cpus}", "--", "sh", "-c", "uname -m; nproc; ip -4 -o addr show eth0 | grep -o 'inet [0-9.]*'; exit 3");
        Assert.Equal((3, $"x86_64\n{cpus}\ninet 10.0.2.15\n"), (result.Status, result.Output));
    }

    [Theory]
    [InlineData("q35", "qemu64", 4, "")]
    [InlineData("microvm", "x86-64-v3", 1, "avx2\n")]
    public void Other_processors_boot_too(string board, string cpu, int cpus, string features)
    {
        Result result = MynaProgram.Run("run", "--machine", board, "--cpu", cpu, "--cpus", $"{cpus}", "--net", "none", "--", "sh", "-c", "nproc; grep -m 1 -ow avx2 /proc/cpuinfo; true");
        Assert.Equal((0, $"{cpus}\n{features}"), (result.Status, result.Output));
    }

    [Theory]
    [InlineData("microvm", "virtio_mmio")]
    [InlineData("q35", "virtio-pci")]
    public void A_disk_keeps_what_is_written(string board, string driver)
    {
        string image = Path.GetTempFileName();
        try
        {
            using (FileStream file = File.OpenWrite(image))
                file.SetLength(8 << 20);
            Result result = MynaProgram.Run("run", "--machine", board, "--net", "none", "--disk", image, "--", "sh", "-c",
                "echo written | dd of=/dev/vda bs=512 seek=3 conv=sync 2>/dev/null; basename $(readlink -f /sys/block/vda/device/../driver)");
            Assert.Equal((0, driver + "\n"), (result.Status, result.Output.Replace("virtio-mmio", "virtio_mmio", StringComparison.Ordinal)));
            Assert.Equal("written\n"u8, File.ReadAllBytes(image).AsSpan(3 * 512, 8));
        }
        finally
        {
            File.Delete(image);
        }
    }

    [Theory]
    [InlineData("microvm")]
    [InlineData("q35")]
    public void The_shell_switches_off_and_restarts_the_machine(string board)
    {
        Assert.Equal(0, MynaProgram.Run("poweroff\n", ["run", "--machine", board, "--net", "none"]).Status);
        Result result = MynaProgram.Run("reboot\n", ["run", "--machine", board, "--net", "none", "--no-reboot"]);
        Assert.Equal(0, result.Status);
        Assert.Contains("Restarting system", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void SeaBIOS_finds_no_disk()
    {
        using Process process = MynaProgram.Start("run", "--firmware", "bios", "--net", "none", "--log", "firmware");
        _ = process.StandardOutput.ReadToEndAsync();
        using var timer = new Timer(_ => process.Kill(entireProcessTree: true), null, TimeSpan.FromMinutes(3), Timeout.InfiniteTimeSpan);
        string seen = "";
        while (!seen.Contains("No bootable device", StringComparison.Ordinal) && process.StandardError.ReadLine() is string line)
            seen += line + "\n";
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        Assert.Contains("firmware: SeaBIOS", seen, StringComparison.Ordinal);
        Assert.Contains("No bootable device", seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--firmware", "bios")]
    [InlineData("--kernel-entry", "16")]
    public void Linux_boots_through_its_real_mode_entry(string option, string value)
    {
        string[] files = [.. MynaProgram.Run("guests", "fetch").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 2)[1])];
        Result result = MynaProgram.Run("run", option, value, "--cpus", "2", "--net", "none", "--no-reboot", "--log", "firmware", "--kernel", files[0], "--initrd", files[1],
            "--append", "console=ttyS0 panic=-1 myna.nonet myna.run=nproc");
        Assert.Equal(0, result.Status);
        Assert.Contains("\n2\n", result.Output.Replace("\r", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(option == "--firmware", result.Error.Contains("Booting from ROM", StringComparison.Ordinal));
    }

    [Fact]
    public void UEFI_reaches_its_shell_and_keeps_variables()
    {
        string folder = Directory.CreateTempSubdirectory("myna-test-").FullName, variables = Path.Combine(folder, "vars.fd");
        // A vendor's name space: that of the specification takes its own names alone (UEFI 2.10, section 3.3).
        const string Guid = "-guid 4c0f65a1-7d4e-4a4e-9f3b-6d796e610001";
        try
        {
            // A cold reset in between; then another machine with the same file.
            string first = Shell($"setvar Greeting {Guid} -nv -bs =S\"myna\"", "reset -c", $"setvar Greeting {Guid}", "reset -s");
            Assert.Contains("6D 79 6E 61", first, StringComparison.Ordinal);
            Assert.Contains("6D 79 6E 61", Shell($"setvar Greeting {Guid}", "reset -s"), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        string Shell(params string[] commands)
        {
            using Process process = MynaProgram.Start("run", "--firmware", "uefi", "--uefi-vars", variables, "--net", "none", "--memory", "256M");
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

    [Fact]
    public void UEFI_starts_a_kernel()
    {
        string[] files = [.. MynaProgram.Run("guests", "fetch").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 2)[1])];
        Result result = MynaProgram.Run("run", "--firmware", "uefi", "--net", "none", "--no-reboot", "--kernel", files[0], "--initrd", files[1],
            "--append", "console=ttyS0 panic=-1 myna.nonet myna.run=nproc");
        Assert.Equal(0, result.Status);
        Assert.Contains("EFI v2", result.Output, StringComparison.Ordinal);
    }
}
