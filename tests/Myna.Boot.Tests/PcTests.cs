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
    public void UEFI_starts_a_kernel()
    {
        string[] files = [.. MynaProgram.Run("guests", "fetch").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 2)[1])];
        Result result = MynaProgram.Run("run", "--firmware", "uefi", "--net", "none", "--no-reboot", "--kernel", files[0], "--initrd", files[1],
            "--append", "console=ttyS0 panic=-1 myna.nonet myna.run=nproc");
        Assert.Equal(0, result.Status);
        Assert.Contains("EFI v2", result.Output, StringComparison.Ordinal);
    }
}
