using System.Buffers.Binary;
using Myna.Machines.X86;

namespace Myna.Machines.Tests.X86;

public class LinuxBootRomTests
{
    [Fact]
    public void The_rom_is_a_plug_and_play_boot_device()
    {
        byte[] rom = LinuxBootRom.Build([new(0x18, 0x10000, 0x4000), new(0x11, 0x100000, 0x123456)]);
        Assert.Equal((0x55, 0xaa, rom.Length), (rom[0], rom[1], rom[2] * 512));
        Assert.Equal(0, rom.Sum(b => b) & 0xff);
        int pnp = BinaryPrimitives.ReadUInt16LittleEndian(rom.AsSpan(0x1a));
        Span<byte> header = rom.AsSpan(pnp, 32);
        Assert.Equal("$PnP"u8, header[..4]);
        Assert.Equal((1, 2, 0), (header[4], header[5], header[6] | header[7]));
        Assert.Equal(0, header.ToArray().Sum(b => b) & 0xff);
        // Device indicators: an initial program load device; no BCV; the bootstrap entry vector lies in the ROM.
        Assert.NotEqual(0, header[0x15] & 4);
        Assert.Equal(0, BinaryPrimitives.ReadUInt16LittleEndian(header[0x16..]));
        int entry = BinaryPrimitives.ReadUInt16LittleEndian(header[0x1a..]);
        Assert.InRange(entry, pnp + 32, rom.Length - 1);
        int product = BinaryPrimitives.ReadUInt16LittleEndian(header[0x10..]);
        Assert.Equal("Linux kernel\0"u8, rom.AsSpan(product, 13));
        // The first transfer as fw_cfg reads it: item << 16 | SELECT | READ, length, address, big-endian.
        ReadOnlySpan<byte> first = [0, 0x18, 0, 0x0a, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 1, 0, 0];
        Assert.True(rom.AsSpan().IndexOf(first) > 0);
    }
}
