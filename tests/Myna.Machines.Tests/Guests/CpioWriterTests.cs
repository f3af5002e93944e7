using System.Diagnostics;
using System.Text;
using Myna.Machines.Guests;

namespace Myna.Machines.Tests.Guests;

public class CpioWriterTests
{
    private static byte[] Archive(Action<CpioWriter> fill)
    {
        var stream = new MemoryStream();
        var cpio = new CpioWriter(stream);
        fill(cpio);
        cpio.Finish();
        return stream.ToArray();
    }

    /// <summary>Field by field from Documentation/driver-api/early-userspace/buffer-format.rst.</summary>
    [Fact]
    public void A_file_has_the_header_that_Linux_documents()
    {
        byte[] archive = Archive(c => c.File("abc", "hello", executable: true));
        string text = Encoding.ASCII.GetString(archive);
        Assert.Equal(
            "070701" + "00000001" + "000081ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000005"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000", text[..110]);
        Assert.Equal("abc\0\0\0hello\0\0\0", text[110..124]);
        Assert.Equal("070701", text[124..130]);
        Assert.Contains("TRAILER!!!\0", text, StringComparison.Ordinal);
        Assert.Equal(0, archive.Length % 512);
    }

    [Fact]
    public void Parents_come_first_and_once()
    {
        string text = Encoding.ASCII.GetString(Archive(c =>
        {
            c.File("a/b/one", "");
            c.File("a/b/two", "");
        }));
        int a = text.IndexOf("a\0", StringComparison.Ordinal), b = text.IndexOf("a/b\0", StringComparison.Ordinal), one = text.IndexOf("a/b/one\0", StringComparison.Ordinal);
        Assert.True(a > 0 && a < b && b < one);
        Assert.Equal(b, text.LastIndexOf("a/b\0", StringComparison.Ordinal));
    }

    /// <summary>bsdtar or cpio, whichever the host has, reads the archive back.</summary>
    [Fact]
    public void The_hosts_cpio_reads_it()
    {
        byte[] archive = Archive(c =>
        {
            c.Directory("d");
            c.File("d/f", new byte[1001]);
            c.Link("l", "d/f");
            c.CharDevice("dev/console", 5, 1);
        });
        var start = new ProcessStartInfo("cpio", ["-tv", "--quiet"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return; // The header test above stands alone on hosts without cpio.
        }
        process.StandardInput.BaseStream.Write(archive);
        process.StandardInput.Close();
        string[] lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        Assert.Collection(lines,
            l => Assert.Matches(@"^drwxr-xr-x .* d$", l),
            l => Assert.Matches(@"^-rw-r--r-- .* 1001 .* d/f$", l),
            l => Assert.Matches(@"^lrwxrwxrwx .* l -> d/f$", l),
            l => Assert.Matches(@"^drwxr-xr-x .* dev$", l),
            l => Assert.Matches(@"^crw------- .* 5, +1 .* dev/console$", l));
    }
}
