using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;

namespace Myna.Boot.Tests;

/// <summary>The VGA's modes as a BIOS program sets them: Myna's picture is QEMU's, pixel for pixel.</summary>
public sealed class PictureTests : IDisposable
{
    private const string Qemu = "qemu-system-x86_64", Package = "qemu-system-x86";

    private readonly string _folder = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public static TheoryData<string> Programs => [.. PicturePrograms.All.Keys];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [TheoryWith(Qemu, Package)]
    [MemberData(nameof(Programs))]
    public void Pictures_are_QEMUs(string name)
    {
        string disk = Path.Combine(_folder, "disk.img"), mine = Path.Combine(_folder, "mine.png"), theirs = Path.Combine(_folder, "theirs.ppm");
        File.WriteAllBytes(disk, PicturePrograms.Disk(name));
        string socket = Path.Combine(_folder, "monitor");
        using (Process myna = MynaProgram.Start("run", "--machine", "pc", "--firmware", "bios", "--net", "none", "--memory", "64M", "--display", "none",
            "--disk", $"{disk},if=ide", "--monitor", $"unix:{socket}"))
            Draw(myna, socket, "(myna) ", $"screenshot {mine}");
        File.Delete(socket);
        var start = new ProcessStartInfo(Qemu, ["-M", "pc,accel=tcg", "-net", "none", "-m", "64M", "-display", "none", "-vga", "std",
            "-drive", $"file={disk},format=raw", "-serial", "stdio", "-monitor", $"unix:{socket},server,nowait"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using (Process qemu = Process.Start(start)!)
            Draw(qemu, socket, "(qemu) ", $"screendump {theirs}");
        Picture picture = Picture.OfPng(File.ReadAllBytes(mine)), reference = Picture.OfPpm(File.ReadAllBytes(theirs));
        if (name == "text, 40x25")
            reference = reference.WithNineDots();
        Assert.Equal((reference.Width, reference.Height), (picture.Width, picture.Height));
        Assert.True(picture.Rgb.Distinct().Count() > 1, "the picture is empty");
        int[] wrong = [.. Enumerable.Range(0, picture.Rgb.Length).Where(i => ((picture.Rgb[i] ^ reference.Rgb[i]) & Significant(name)) != 0 && !IsNinthDot(name, i % picture.Width))];
        if (wrong.Length > 0)
            Assert.Fail($"{wrong.Length} pixels of {picture.Rgb.Length} differ; the first at {wrong[0] % picture.Width}, {wrong[0] / picture.Width}: {picture.Rgb[wrong[0]]:x6} instead of {reference.Rgb[wrong[0]]:x6}");
    }

    /// <summary>Colours have five or six bits; how eight are made of them differs by the lowest.</summary>
    private static int Significant(string name) => name.Contains("15 bits", StringComparison.Ordinal) || name.Contains("16 bits", StringComparison.Ordinal) ? 0xf8f8f8
        : name.Contains(" bits", StringComparison.Ordinal) ? 0xffffff
        : 0xfcfcfc;

    /// <summary>QEMU repeats the eighth dot for B0h to BFh too, and has none in 40 columns (docs/limits.md).</summary>
    private static bool IsNinthDot(string name, int x) => name == "text, 40x25" ? x % 18 >= 16 : name.StartsWith("text", StringComparison.Ordinal) && x % 9 == 8;

    private static void Draw(Process process, string socket, string prompt, string command)
    {
        _ = process.StandardError.ReadToEndAsync();
        using var limit = new Timer(_ => process.Kill(entireProcessTree: true), null, TimeSpan.FromMinutes(2), Timeout.InfiniteTimeSpan);
        var said = new StringBuilder();
        while (!said.ToString().Contains(PicturePrograms.Done, StringComparison.Ordinal))
        {
            int next = process.StandardOutput.Read();
            Assert.True(next >= 0, $"the machine ended; it said {said}");
            _ = said.Append((char)next);
        }
        using var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        connection.Connect(new UnixDomainSocketEndPoint(socket));
        using var stream = new NetworkStream(connection);
        Prompted(stream, prompt);
        stream.Write(Encoding.UTF8.GetBytes(command + "\n"));
        Prompted(stream, prompt);
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
    }

    private static void Prompted(Stream stream, string prompt)
    {
        var seen = new StringBuilder();
        while (!seen.ToString().EndsWith(prompt, StringComparison.Ordinal))
        {
            int next = stream.ReadByte();
            Assert.True(next >= 0, $"the monitor ended: {seen}");
            _ = seen.Append((char)next);
        }
    }

    private sealed record Picture(int Width, int Height, int[] Rgb)
    {
        /// <summary>P6 of netpbm, 8 bits.</summary>
        public static Picture OfPpm(byte[] file)
        {
            string[] head = Encoding.ASCII.GetString(file, 0, 32).Split((char[]?)null, 5);
            (int width, int height) = (int.Parse(head[1]), int.Parse(head[2]));
            Assert.Equal(("P6", "255"), (head[0], head[3]));
            return Of(width, height, file.AsSpan(file.Length - width * height * 3));
        }

        /// <summary>ISO/IEC 15948: one image, 8 bits of red, green and blue, rows as they are or as differences to the one above.</summary>
        public static Picture OfPng(byte[] file)
        {
            (int width, int height) = (BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(20)));
            using var data = new MemoryStream();
            for (int at = 8, length; at < file.Length; at += 12 + length)
            {
                length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
                if (file.AsSpan(at + 4, 4).SequenceEqual("IDAT"u8))
                    data.Write(file, at + 8, length);
            }
            data.Position = 0;
            using var zlib = new ZLibStream(data, CompressionMode.Decompress);
            int stride = width * 3;
            byte[] pixels = new byte[stride * height], row = new byte[stride + 1];
            for (int y = 0; y < height; y++)
            {
                zlib.ReadExactly(row);
                Assert.True(row[0] is 0 or 2, "a filter that this test does not know");
                for (int x = 0; x < stride; x++)
                    pixels[y * stride + x] = (byte)(row[x + 1] + (row[0] == 2 && y > 0 ? pixels[(y - 1) * stride + x] : 0));
            }
            return Of(width, height, pixels);
        }

        /// <summary>Characters of 16 pixels made 18 wide, the last two empty.</summary>
        public Picture WithNineDots()
        {
            int width = Width / 16 * 18;
            int[] rgb = new int[width * Height];
            for (int i = 0; i < rgb.Length; i++)
            {
                int x = i % width;
                rgb[i] = x % 18 < 16 ? Rgb[i / width * Width + x / 18 * 16 + x % 18] : 0;
            }
            return new(width, Height, rgb);
        }

        private static Picture Of(int width, int height, ReadOnlySpan<byte> bytes)
        {
            int[] rgb = new int[width * height];
            for (int i = 0; i < rgb.Length; i++)
                rgb[i] = bytes[i * 3] << 16 | bytes[i * 3 + 1] << 8 | bytes[i * 3 + 2];
            return new(width, height, rgb);
        }
    }
}
