using System.Diagnostics;

namespace Myna.Boot.Tests;

/// <summary>Where `myna run --sandbox` goes, seen from outside. The program is root in a user namespace of its own, so that nothing of the host's is touched.</summary>
public class SandboxTests
{
    /// <summary>Multiboot: prints "x" on COM1, then waits for ever.</summary>
    private static string Kernel()
    {
        byte[] image = new byte[0x60];
        uint[] header = [0x1badb002, 1 << 16, unchecked(0u - 0x1badb002 - (1 << 16)), 0x200000, 0x200000, 0, 0, 0x200040];
        Buffer.BlockCopy(header, 0, image, 0, 32);
        // mov dx, 3f8h; mov al, 'x'; out dx, al; hlt; jmp $-1
        ((ReadOnlySpan<byte>)[0x66, 0xba, 0xf8, 0x03, 0xb0, (byte)'x', 0xee, 0xf4, 0xeb, 0xfd]).CopyTo(image.AsSpan(0x40));
        string path = Path.Combine(Directory.CreateTempSubdirectory("myna-sandbox").FullName, "kernel");
        File.WriteAllBytes(path, image);
        return path;
    }

    [Fact]
    public void Another_root_and_control_group()
    {
        string kernel = Kernel(), root = Path.Combine(Path.GetDirectoryName(kernel)!, "root"), group = Path.Combine(Path.GetDirectoryName(kernel)!, "group");
        Directory.CreateDirectory(root);
        // As the kernel makes it in every control group; a real one needs rights that not everybody has.
        Directory.CreateDirectory(group);
        File.WriteAllText(Path.Combine(group, "cgroup.procs"), "");
        var start = new ProcessStartInfo("unshare", ["--user", "--map-root-user", Path.Combine(MynaProgram.Root, "myna"), "run", "--arch", "x86_64", "--accel", "interp", "--memory", "16M", "--net", "none",
            "--sandbox", $"on,chroot={root},cgroup={group}", "--kernel", kernel])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        try
        {
            int first = process.StandardOutput.Read();
            Assert.True(first == 'x', first == 'x' ? "" : process.StandardError.ReadToEnd());
            int pid = int.Parse(File.ReadAllText(Path.Combine(group, "cgroup.procs")), System.Globalization.CultureInfo.InvariantCulture);
            string status = File.ReadAllText($"/proc/{pid}/status");
            Assert.Contains("NoNewPrivs:\t1", status, StringComparison.Ordinal);
            Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
            Assert.Equal(root, File.ResolveLinkTarget($"/proc/{pid}/root", returnFinalTarget: false)!.FullName);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            Directory.Delete(Path.GetDirectoryName(kernel)!, recursive: true);
        }
    }

    [Fact]
    public void A_folder_is_no_control_group()
    {
        string kernel = Kernel(), group = Path.Combine(Path.GetDirectoryName(kernel)!, "group");
        try
        {
            Result result = MynaProgram.Run("run", "--arch", "x86_64", "--accel", "interp", "--memory", "16M", "--net", "none", "--sandbox", $"cgroup={group}", "--kernel", kernel);
            Assert.NotEqual(0, result.Status);
            Assert.Contains($"cgroup={group}: it is no control group", result.Error, StringComparison.Ordinal);
            Assert.False(Directory.Exists(group));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(kernel)!, recursive: true);
        }
    }

    [Fact]
    public void What_the_host_refuses_is_said()
    {
        string kernel = Kernel();
        try
        {
            // In a namespace with one user there is no other one to become.
            var start = new ProcessStartInfo("unshare", ["--user", "--map-root-user", Path.Combine(MynaProgram.Root, "myna"), "run", "--arch", "x86_64", "--accel", "interp", "--memory", "16M", "--net", "none",
                "--sandbox", "user=65000", "--kernel", kernel])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            };
            using Process process = Process.Start(start)!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.NotEqual(0, process.ExitCode);
            Assert.Contains("--sandbox user=65000", error, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(kernel)!, recursive: true);
        }
    }
}
