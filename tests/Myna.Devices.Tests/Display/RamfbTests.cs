using System.Buffers.Binary;
using Myna.Devices.Display;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;

namespace Myna.Devices.Tests.Display;

/// <summary>QEMU's ramfb and its fw_cfg file; DMA writes of QEMU documentation, specs/fw_cfg.</summary>
public sealed class RamfbTests : IDisposable
{
    private const ulong Base = 0x8000_0000;

    private readonly Ram _ram = new("ram", 1 << 20);
    private readonly AddressSpace _memory = new();
    private readonly Ramfb _ramfb;
    private readonly FwCfg _fwCfg;

    public RamfbTests()
    {
        _memory.Map(Base, _ram);
        _ramfb = new Ramfb(_memory);
        _fwCfg = new FwCfg(_memory, new Dictionary<string, byte[]> { [Ramfb.FileName] = _ramfb.File, ["opt/other"] = new byte[28] }, 1, 1 << 20, writable: [Ramfb.FileName]);
    }

    public void Dispose() => _ram.Dispose();

    private uint Write(ushort key, byte[] content)
    {
        _memory.Write(Base + 0x1000, content);
        byte[] access = new byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(access, (uint)key << 16 | 8 | 16);
        BinaryPrimitives.WriteUInt32BigEndian(access.AsSpan(4), (uint)content.Length);
        BinaryPrimitives.WriteUInt64BigEndian(access.AsSpan(8), Base + 0x1000);
        _memory.Write(Base + 0x100, access);
        _fwCfg.Store(16, BinaryPrimitives.ReverseEndianness(Base + 0x100), 8);
        return BinaryPrimitives.ReadUInt32BigEndian(_ram.Get(0x100, 4));
    }

    private static byte[] Description(ulong address, uint format, int width, int height, int stride)
    {
        byte[] file = new byte[28];
        BinaryPrimitives.WriteUInt64BigEndian(file, address);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(8), format);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(16), width);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(20), height);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(24), stride);
        return file;
    }

    [Fact]
    public void The_guest_says_where_its_picture_is()
    {
        const uint Xr24 = 'X' | 'R' << 8 | '2' << 16 | '4' << 24;
        Assert.False(_ramfb.IsActive);
        // etc/ramfb comes before opt/other.
        Assert.Equal(0u, Write(FwCfg.FILE_FIRST, Description(Base + 0x10000, Xr24, 40, 30, 200)));
        Assert.True(_ramfb.IsActive);
        _memory.Store(Base + 0x10000 + 29 * 200 + 39 * 4, 4, 0x123456);
        var surface = new Surface();
        _ramfb.Draw(surface);
        Assert.Equal((40, 30, 0x123456u), (surface.Width, surface.Height, surface.Row(29)[39]));
        _ramfb.Reset();
        Assert.False(_ramfb.IsActive);
    }

    [Theory]
    [InlineData(0x3432_5258, 0, 30, 200)]
    [InlineData(0x3432_5258, 40, -1, 200)]
    [InlineData(0x3432_5258, 40, 30, 100)]
    [InlineData(0x3432_5258, 100_000, 30, 0)]
    [InlineData(0x1234_5678, 40, 30, 200)]
    public void A_description_that_makes_no_sense_shows_nothing(uint format, int width, int height, int stride)
    {
        Assert.Equal(0u, Write(FwCfg.FILE_FIRST, Description(Base, format, width, height, stride)));
        Assert.False(_ramfb.IsActive);
        _ramfb.Draw(new Surface());
    }

    [Fact]
    public void Only_the_file_given_can_be_written_and_not_beyond_its_end()
    {
        Assert.Equal(1u, Write(FwCfg.FILE_FIRST + 1, new byte[28]));
        Assert.Equal(1u, Write(FwCfg.FILE_FIRST, new byte[29]));
    }
}
