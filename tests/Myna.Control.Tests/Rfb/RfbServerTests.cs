using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Control.Monitor;
using Myna.Control.Rfb;
using Myna.Machines;

namespace Myna.Control.Tests.Rfb;

/// <summary>RFC 6143, against a client of its own (<see cref="RfbClient"/>) and a machine with a frame buffer in its RAM.</summary>
public sealed class RfbServerTests : IDisposable
{
    private const int Width = 200, Height = 150;
    private const ulong FwCfg = 0x1010_0000, Scratch = 0x8010_0000, Frame = 0x8020_0000;

    private readonly string _kernel = Path.Combine(Path.GetTempPath(), $"myna-rfb-{Environment.ProcessId}-{Guid.NewGuid():n}");
    private readonly Machine _machine;

    public RfbServerTests()
    {
        File.WriteAllBytes(_kernel, new byte[4096]);
        _machine = Machine.Create(new MachineOptions { Kernel = _kernel, Firmware = MachineOptions.FirmwareNone, Memory = 16 << 20, Accel = Accel.Interp, Screen = ScreenKind.Ramfb });
    }

    public void Dispose()
    {
        _machine.Dispose();
        File.Delete(_kernel);
    }

    private RfbServer Serve(string? password = null) => new(_machine, new RfbOptions("127.0.0.1:0", password));

    /// <summary>What firmware does: the file etc/ramfb is the only one.</summary>
    private void ShowFrame()
    {
        byte[] file = new byte[28];
        BinaryPrimitives.WriteUInt64BigEndian(file, Frame);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(8), 0x3432_5258);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(16), Width);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(20), Height);
        _machine.Memory.Write(Scratch + 0x100, file);
        byte[] access = new byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(access, 0x20 << 16 | 8 | 16);
        BinaryPrimitives.WriteUInt32BigEndian(access.AsSpan(4), 28);
        BinaryPrimitives.WriteUInt64BigEndian(access.AsSpan(8), Scratch + 0x100);
        _machine.Memory.Write(Scratch, access);
        Assert.True(_machine.Memory.Store(FwCfg + 16, 8, BinaryPrimitives.ReverseEndianness(Scratch)));
    }

    private uint[] Paint(Func<int, int, uint> colour)
    {
        uint[] pixels = new uint[Width * Height];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = colour(i % Width, i / Width);
        _machine.Memory.Write(Frame, MemoryMarshal.AsBytes<uint>(pixels));
        return pixels;
    }

    /// <summary>Pictures that make encoders choose differently.</summary>
    private static readonly Func<int, int, uint>[] s_pictures =
    [
        (_, _) => 0x336699,
        (x, y) => (x / 3 + y) % 7 < 3 ? 0xffffffu : 0,
        (x, y) => (uint)((x / 9 + y / 5) % 11) * 0x101010,
        (x, y) => (uint)(x / 40 + y / 30) * 0x050a0f,
        (x, y) => (uint)(x * y * 2_654_435 & 0xff_ffff),
        (x, y) => (uint)(x | y << 8),
        (x, y) => (uint)((x ^ y) % 200) << 4,
    ];

    [Theory]
    [InlineData(RfbClient.Raw)]
    [InlineData(RfbClient.Zrle)]
    [InlineData(RfbClient.Tight)]
    public void Every_encoding_shows_the_same_picture(int encoding)
    {
        ShowFrame();
        uint[] expected = Paint(s_pictures[0]);
        using RfbServer server = Serve();
        using var client = new RfbClient(server.Address);
        Assert.Equal(0, client.Handshake());
        client.SetEncodings(encoding, RfbClient.DesktopSize);
        client.Update(incremental: false);
        if (client.Width != Width)
            client.Update(incremental: false);
        Assert.Equal((Width, Height), (client.Width, client.Height));
        Assert.Equal(expected, client.Pixels);
        foreach (Func<int, int, uint> picture in s_pictures.Skip(1))
        {
            expected = Paint(picture);
            client.Update(incremental: true);
            Assert.All(client.Encodings, e => Assert.Equal(encoding, e));
            Assert.Equal(expected, client.Pixels);
        }
        // One pixel is one small rectangle.
        expected[Width * 70 + 100] = 0xabcdef;
        Assert.True(_machine.Memory.Store(Frame + (Width * 70 + 100) * 4, 4, 0xabcdef));
        client.Update(incremental: true);
        Assert.Single(client.Encodings);
        Assert.Equal(expected, client.Pixels);
    }

    [Fact]
    public void Rows_that_move_are_copied()
    {
        ShowFrame();
        uint Text(int x, int y) => (uint)((x + 1) * (y + 1) * 7_919 & 0xffff);
        Paint(Text);
        using RfbServer server = Serve();
        using var client = new RfbClient(server.Address);
        client.Handshake();
        client.SetEncodings(RfbClient.Zrle, RfbClient.CopyRect, RfbClient.DesktopSize);
        client.Update(incremental: false);
        if (client.Width != Width)
            client.Update(incremental: false);
        foreach (int distance in new[] { 16, 9, -20 })
        {
            int by = distance;
            Func<int, int, uint> scrolled = (x, y) => Text(x, y + by);
            uint[] expected = Paint(scrolled);
            client.Update(incremental: true);
            Assert.Contains(RfbClient.CopyRect, client.Encodings);
            Assert.Equal(expected, client.Pixels);
            Paint(Text);
            client.Update(incremental: true);
        }
    }

    [Fact]
    public void A_password_is_asked_for()
    {
        using RfbServer server = Serve("secret");
        using (var client = new RfbClient(server.Address))
            Assert.Equal(1, client.Handshake(_ => new byte[16]));
        using (var client = new RfbClient(server.Address))
            Assert.Equal(0, client.Handshake(challenge => Des.Respond("secret"u8, challenge)));
        Assert.Throws<FormatException>(() => Serve(""));
    }

    [Fact]
    public void Clients_share_the_screen_and_the_clipboard()
    {
        using RfbServer server = Serve();
        using var first = new RfbClient(server.Address);
        using var second = new RfbClient(server.Address);
        first.Handshake();
        second.Handshake();
        first.SetEncodings(RfbClient.Raw);
        second.SetEncodings(RfbClient.Raw);
        second.Update(incremental: false);
        first.Send([6, 0, 0, 0, 0, 0, 0, 5, .. "hello"u8]);
        Assert.Equal([3, 0, 0, 0, 0, 0, 0, 5, .. "hello"u8], second.Read(13));
    }

    [Theory]
    [InlineData("63")]
    [InlineData("0600000000ffffffff")]
    [InlineData("0200ffff")]
    [InlineData("0000000011000001000100010001ffffff000000")]
    [InlineData("ff07")]
    public void A_client_that_breaks_the_protocol_is_left(string bytes)
    {
        using RfbServer server = Serve();
        using (var client = new RfbClient(server.Address))
        {
            client.Handshake();
            client.Send(Convert.FromHexString(bytes));
            Assert.ThrowsAny<IOException>(() => client.Read(1));
        }
        // And the next one is served.
        using var next = new RfbClient(server.Address);
        Assert.Equal(0, next.Handshake());
        next.Update(incremental: false);
    }

    [Fact]
    public void A_screenshot_is_a_png_file()
    {
        ShowFrame();
        uint[] expected = Paint(s_pictures[5]);
        string file = _kernel + ".png";
        try
        {
            var monitor = new MachineMonitor(_machine);
            Assert.Equal("200x150\n", monitor.Execute("screenshot " + file));
            byte[] png = File.ReadAllBytes(file);
            Assert.Equal(Convert.FromHexString("89504e470d0a1a0a0000000d49484452000000c8000000960802000000"), png[..29]);
            int length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(33));
            Assert.Equal("IDAT"u8.ToArray(), png[37..41]);
            using var zlib = new System.IO.Compression.ZLibStream(new MemoryStream(png, 41, length), System.IO.Compression.CompressionMode.Decompress);
            byte[] before = new byte[Width * 3], line = new byte[Width * 3 + 1];
            for (int y = 0; y < Height; y++)
            {
                zlib.ReadExactly(line);
                for (int i = 0; i < before.Length; i++)
                    before[i] = (byte)(line[i + 1] + (line[0] == 2 ? before[i] : 0));
                for (int x = 0; x < Width; x++)
                    Assert.Equal(expected[y * Width + x], (uint)(before[x * 3] << 16 | before[x * 3 + 1] << 8 | before[x * 3 + 2]));
            }
            // The CRC of an empty IEND is in the standard.
            Assert.Equal(Convert.FromHexString("0000000049454e44ae426082"), png[^12..]);
            Assert.Contains("cannot write", monitor.Execute("screenshot /nowhere/at/all.png"), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
