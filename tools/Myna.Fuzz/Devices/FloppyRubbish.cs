using Myna.Hardware.Backends;

namespace Myna.Fuzz.Devices;

/// <summary>Drives the diskette controller and its DMA channel.</summary>
internal sealed class FloppyRubbish(BoardFuzzer board, Values random)
{
    private const ulong DOR = 0x3F2, MSR = 0x3F4, FIFO = 0x3F5, CCR = 0x3F7;

    public void Stir()
    {
        if (random.Chance(10))
            board.Out(DOR, 1, random.Chance(90) ? 0x1Cu | (uint)random.Below(4) : random.Next());
        if (random.Chance(5))
            board.Out(CCR, 1, (uint)random.Below(4));
        if (random.Chance(2))
            board.Out(MSR, 1, random.Next());
        if (random.Chance(60))
            Program();
        ulong status = board.In(MSR, 1);
        // Results and data out of the way, a sector at most.
        for (int i = 0; i < 600 && (status & 0xC0) == 0xC0; i++)
        {
            board.In(FIFO, 1);
            status = board.In(MSR, 1);
        }
        for (int i = 0; i < 600 && (status & 0xE0) == 0xA0; i++)
        {
            board.Out(FIFO, 1, random.Next());
            status = board.In(MSR, 1);
        }
        ReadOnlySpan<byte> commands = [0x03, 0x04, 0x07, 0x08, 0x08, 0x0A, 0x0E, 0x0F, 0x0F, 0x10, 0x12, 0x13, 0x14, 0x94, 0x45, 0xC5, 0x46, 0x46, 0xE6, 0xE6, 0x49, 0x4A, 0x4C, 0x4D, 0x16, 0x42, 0x8F, 0xCF];
        uint track = (uint)random.Below(random.Chance(90) ? 3 : 256);
        board.Out(FIFO, 1, random.Chance(97) ? random.Pick(commands) : random.Next());
        board.Out(FIFO, 1, (uint)random.Below(random.Chance(90) ? 5 : 256) & ~1u);
        board.Out(FIFO, 1, track);
        board.Out(FIFO, 1, random.Chance(90) ? (uint)random.Below(2) : random.Next());
        board.Out(FIFO, 1, (uint)random.Below(20));
        board.Out(FIFO, 1, random.Chance(95) ? 2 : random.Next());
        board.Out(FIFO, 1, (uint)random.Below(random.Chance(95) ? 20 : 256));
        board.Out(FIFO, 1, 0x1B);
        board.Out(FIFO, 1, 0xFF);
    }

    private void Program()
    {
        ulong address = random.Chance(95) ? board.Arena + (ulong)random.Below(BoardFuzzer.ArenaSize / 2) : random.Next();
        board.Out(0x0A, 1, 6);
        board.Out(0x0C, 1, 0);
        board.Out(0x0B, 1, random.Chance(90) ? (uint)(0x42 + (random.Below(3) * 4)) : random.Next());
        board.Out(0x04, 1, address);
        board.Out(0x04, 1, address >> 8);
        board.Out(0x05, 1, random.Next());
        board.Out(0x05, 1, (uint)random.Below(40));
        board.Out(0x81, 1, address >> 16);
        board.Out(0x0A, 1, 2);
    }
}

/// <summary>A diskette of 1.44 MB in front of a disk that is smaller.</summary>
internal sealed class FuzzFloppy(FuzzDisk disk) : IBlockBackend
{
    public ulong Length => 1440 << 10;
    public bool ReadOnly => false;

    public ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers) => offset + 512 > disk.Length ? new(BlockStatus.IoError) : disk.ReadAsync(offset, buffers);
    public ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers) => offset + 512 > disk.Length ? new(BlockStatus.IoError) : disk.WriteAsync(offset, buffers);
    public ValueTask<BlockStatus> FlushAsync() => disk.FlushAsync();
    public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length) => new(BlockStatus.NotSupported);
    public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap) => new(BlockStatus.NotSupported);
}
