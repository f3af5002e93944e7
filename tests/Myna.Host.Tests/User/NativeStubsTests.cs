using System.Diagnostics;
using Myna.Host.User;

namespace Myna.Host.Tests.User;

public sealed class NativeStubsTests
{
    /// <summary>Where no assembler is installed there is nothing to compare with.</summary>
    [Fact]
    public void The_bytes_are_what_the_source_says()
    {
        if (!File.Exists("/usr/bin/as") || !File.Exists("/usr/bin/objcopy") || !NativeStubs.IsSupported)
            return;
        string folder = Directory.CreateTempSubdirectory("myna-test-").FullName;
        try
        {
            string source = Path.Combine(Root, "src/Myna.Host/User/NativeStubs.s"), assembled = Path.Combine(folder, "a.o"), linked = Path.Combine(folder, "a.elf"), bytes = Path.Combine(folder, "a.bin");
            Run("as", source, "-o", assembled);
            Run("ld", "-Ttext=0", "-e", "0", assembled, "-o", linked);
            Run("objcopy", "-O", "binary", "-j", ".text", linked, bytes);
            Assert.Equal(NativeStubs.Code, Convert.ToHexString(File.ReadAllBytes(bytes)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Root
    {
        get
        {
            string folder = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(folder, "Myna.slnx")))
                folder = Path.GetDirectoryName(folder)!;
            return folder;
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error);
    }
}
