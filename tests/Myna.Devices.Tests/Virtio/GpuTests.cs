using System.Buffers.Binary;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Gpu;
using Myna.Hardware.Screens;

namespace Myna.Devices.Tests.Virtio;

/// <summary>Virtio 1.2, section 5.7.</summary>
public sealed class GpuTests : IDisposable
{
    private const ulong Edid = 2;
    private const uint OkNoData = 0x1100, OkDisplayInfo = 0x1101, OkEdid = 0x1104, ErrUnspec = 0x1200, ErrOutOfMemory = 0x1201, ErrScanout = 0x1202, ErrResource = 0x1203, ErrParameter = 0x1205;

    private readonly Rig _rig = Rig.Start(new Way("pci", false, true, true), (m, log) => new VirtioGpu(m.Space, Rig.Options, log), 2, Edid);

    public void Dispose() => _rig.Dispose();

    private VirtioGpu Gpu => (VirtioGpu)_rig.Device;

    private static byte[] Request(uint type, params ReadOnlySpan<uint> words)
    {
        byte[] bytes = new byte[24 + words.Length * 4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, type);
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24 + i * 4), words[i]);
        return bytes;
    }

    private byte[] Send(byte[] request, int queue = 0)
    {
        Piece answer = _rig.Writable(2048);
        Used used = _rig.Driver.Queues[queue].Run(false, _rig.Readable(request), answer);
        return _rig.Content(answer)[..(int)used.Length];
    }

    private uint Ask(uint type, params ReadOnlySpan<uint> words) => U32(Send(Request(type, words)), 0);

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    [Fact]
    public void It_tells_of_its_display()
    {
        Assert.Equal(1ul, _rig.Driver.ReadConfig(8, 4));
        byte[] info = Send(Request(0x100));
        Assert.Equal((408, OkDisplayInfo, 1280u, 800u, 1u), (info.Length, U32(info, 0), U32(info, 32), U32(info, 36), U32(info, 40)));
        Assert.True(Gpu.Suggest(1024, 700));
        Assert.Equal(2, _rig.Driver.TakeInterrupts() & 2);
        Assert.Equal(1ul, _rig.Driver.ReadConfig(0, 4));
        _rig.Driver.WriteConfig(4, 4, 1);
        Assert.Equal(0ul, _rig.Driver.ReadConfig(0, 4));
        Assert.Equal(1024u, U32(Send(Request(0x100)), 32));
        byte[] edid = Send(Request(0x10a, 0, 0));
        Assert.Equal((OkEdid, 128u), (U32(edid, 0), U32(edid, 24)));
        Assert.Equal(0, edid.AsSpan(32, 128).ToArray().Sum(b => b) & 0xff);
        Assert.Equal((1024, 700), (edid[32 + 56] | (edid[32 + 58] & 0xf0) << 4, edid[32 + 59] | (edid[32 + 61] & 0xf0) << 4));
    }

    [Fact]
    public void A_resource_is_shown_once_it_is_flushed()
    {
        var surface = new Surface();
        // Two pieces of memory, the border in the middle of a row.
        ulong first = _rig.Memory.Allocate(1000), second = _rig.Memory.Allocate(32 * 20 * 4 - 1000);
        Assert.Equal(OkNoData, Ask(0x101, 7, 1, 32, 20));
        Assert.Equal(OkNoData, Ask(0x106, 7, 2, (uint)first, (uint)(first >> 32), 1000, 0, (uint)second, (uint)(second >> 32), 32 * 20 * 4 - 1000, 0));
        Assert.Equal(OkNoData, Ask(0x103, 4, 2, 16, 10, 0, 7));
        Assert.True(((IScreen)Gpu).IsActive);
        Gpu.Draw(surface);
        Assert.Equal((16, 10), (surface.Width, surface.Height));
        for (int i = 0; i < 32 * 20; i++)
            _rig.Memory.Write32(i * 4 < 1000 ? first + (ulong)(i * 4) : second + (ulong)(i * 4 - 1000), 0xff00_0000 | (uint)i);
        Assert.Equal(OkNoData, Ask(0x105, 0, 0, 32, 20, 0, 0, 7, 0));
        Assert.Equal(OkNoData, Ask(0x104, 0, 0, 32, 20, 7, 0));
        Gpu.Draw(surface);
        for (int y = 0; y < 10; y++)
            Assert.Equal(Enumerable.Range(0, 16).Select(x => (uint)((y + 2) * 32 + x + 4)), surface.Row(y).ToArray().Select(p => p & 0xff_ffff));
        // Part of it, from an offset.
        _rig.Memory.Write32(first, 0x123456);
        Assert.Equal(OkNoData, Ask(0x105, 5, 3, 1, 1, 0, 0, 7, 0));
        Gpu.Draw(surface);
        Assert.Equal(3u * 32 + 5, surface.Row(1)[1] & 0xff_ffff);
        Assert.Equal(OkNoData, Ask(0x104, 5, 3, 1, 1, 7, 0));
        Gpu.Draw(surface);
        Assert.Equal(0x123456u, surface.Row(1)[1] & 0xff_ffff);
        Assert.Equal(OkNoData, Ask(0x102, 7, 0));
        Assert.False(((IScreen)Gpu).IsActive);
    }

    [Theory]
    [InlineData(1, "33221100", 0x112233)]
    [InlineData(3, "00112233", 0x112233)]
    [InlineData(67, "11223300", 0x112233)]
    [InlineData(121, "00332211", 0x112233)]
    public void Formats(uint format, string bytes, uint expected)
    {
        ulong at = _rig.Memory.Place(Convert.FromHexString(bytes));
        Ask(0x101, 1, format, 1, 1);
        Ask(0x106, 1, 1, (uint)at, 0, 4, 0);
        Ask(0x103, 0, 0, 1, 1, 0, 1);
        Ask(0x105, 0, 0, 1, 1, 0, 0, 1, 0);
        Ask(0x104, 0, 0, 1, 1, 1, 0);
        var surface = new Surface();
        Gpu.Draw(surface);
        Assert.Equal(expected, surface.Row(0)[0] & 0xff_ffff);
    }

    [Fact]
    public void Mistakes_are_answered()
    {
        Assert.Equal(ErrUnspec, Ask(0x99));
        Assert.Equal(ErrUnspec, Ask(0x300));
        Assert.Equal(ErrResource, Ask(0x101, 0, 1, 10, 10));
        Assert.Equal(ErrParameter, Ask(0x101, 1, 5, 10, 10));
        Assert.Equal(ErrParameter, Ask(0x101, 1, 1, 0, 10));
        Assert.Equal(ErrParameter, Ask(0x101, 1, 1, 0x10000, 0x10000));
        Assert.Equal(ErrOutOfMemory, Ask(0x101, 1, 1, 8192, 8192));
        Assert.Equal(OkNoData, Ask(0x101, 1, 1, 10, 10));
        Assert.Equal(ErrResource, Ask(0x101, 1, 1, 10, 10));
        Assert.Equal(ErrScanout, Ask(0x103, 0, 0, 10, 10, 1, 1));
        Assert.Equal(ErrParameter, Ask(0x103, 1, 0, 10, 10, 0, 1));
        Assert.Equal(ErrResource, Ask(0x103, 0, 0, 10, 10, 0, 2));
        Assert.Equal(ErrParameter, Ask(0x105, 0, 0, 10, 10, 0, 0, 1, 0));
        Assert.Equal(ErrParameter, Ask(0x106, 1, 5, 0, 0, 4, 0));
        Assert.Equal(OkNoData, Ask(0x106, 1, 1, 0, 0, 4000, 0));
        Assert.Equal(ErrParameter, Ask(0x105, 0, 0, 10, 10, 0, 0, 1, 0));
        Assert.Equal(ErrParameter, Ask(0x105, 0, 0, 10, 10, uint.MaxValue, uint.MaxValue, 1, 0));
        Assert.Equal(ErrParameter, Ask(0x104, 5, 5, 10, 10, 1, 0));
        Assert.Equal(ErrResource, Ask(0x102, 2, 0));
        Assert.False(_rig.NeedsReset);
    }

    [Fact]
    public void The_number_of_resources_is_limited()
    {
        uint answer = OkNoData, id = 0;
        while (answer == OkNoData && id < 10_000)
            answer = Ask(0x101, ++id, 1, 1, 1);
        Assert.Equal(ErrOutOfMemory, answer);
        _rig.Driver.Status = 0;
    }

    [Fact]
    public void A_fence_comes_back_and_the_cursor_has_a_queue_of_its_own()
    {
        byte[] request = Request(0x100);
        request[4] = 1;
        request[8] = 0x5a;
        byte[] answer = Send(request);
        Assert.Equal((1u, 0x5au), (U32(answer, 4), U32(answer, 8)));
        Assert.Null(Gpu.Cursor);
        Ask(0x101, 3, 1, 64, 64);
        Send(Request(0x300, 0, 10, 10, 0, 3, 5, 6, 0), queue: 1);
        Assert.Equal((64, 5, 6), (Gpu.Cursor!.Width, Gpu.Cursor.HotX, Gpu.Cursor.HotY));
        Send(Request(0x300, 0, 10, 10, 0, 0, 0, 0, 0), queue: 1);
        Assert.Null(Gpu.Cursor);
    }
}
