namespace Myna.Hardware.Backends;

/// <summary>The device's side of a byte stream.</summary>
public interface ICharFrontend
{
    /// <summary>How many bytes the device takes now.</summary>
    int ReceiveCapacity { get; }

    /// <summary>Bytes for the guest, at most <see cref="ReceiveCapacity"/>. Called on a host I/O thread.</summary>
    void Receive(ReadOnlySpan<byte> bytes);
}

/// <summary>The host's side of a byte stream: a terminal, a pipe, a file, a socket, a test's buffer.</summary>
public interface ICharBackend
{
    /// <summary>Connects the device; at most one.</summary>
    void Attach(ICharFrontend frontend);

    /// <summary>Bytes from the guest. Never blocks for long; a peer that is gone swallows them.</summary>
    void Write(ReadOnlySpan<byte> bytes);

    /// <summary>The device can take more input than when it was last full.</summary>
    void ReceiveReady();
}

/// <summary>How a block request ended.</summary>
public enum BlockStatus { Ok, IoError, OutOfRange, ReadOnly, NotSupported, NoSpace }

/// <summary>
/// A disk as a device sees it. Requests may complete on any thread and in any order; none throws for a guest's mistake.
/// Offsets and lengths are bytes, multiples of 512.
/// </summary>
public interface IBlockBackend
{
    /// <summary>Size in bytes, a multiple of 512.</summary>
    ulong Length { get; }

    bool ReadOnly { get; }

    ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers);

    ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers);

    /// <summary>Completes when all writes completed before it are on stable storage.</summary>
    ValueTask<BlockStatus> FlushAsync();

    /// <summary>The content of the range is no longer needed; it may read as anything afterwards.</summary>
    ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length);

    /// <summary>The range reads as zeroes afterwards; <paramref name="unmap"/> allows deallocating it.</summary>
    ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap);
}

/// <summary>What keeps the content of a flash memory.</summary>
public interface IFlashBackend
{
    /// <summary>Bytes, a multiple of 4096.</summary>
    ulong Length { get; }

    /// <summary>The whole content, <see cref="Length"/> bytes.</summary>
    void Read(Span<byte> content);

    /// <summary>The guest has changed this part. Any thread; what cannot be stored is the back end's to report.</summary>
    void Write(ulong offset, ReadOnlySpan<byte> bytes);
}

/// <summary>The device's side of an Ethernet link.</summary>
public interface INetFrontend
{
    /// <summary>A frame for the guest, without FCS. Called on a host I/O thread.</summary>
    /// <returns>False when the guest has no buffer for it: keep it until <see cref="INetBackend.ReceiveReady"/> or drop it.</returns>
    bool Receive(ReadOnlySpan<byte> frame);
}

/// <summary>The network's side of an Ethernet link.</summary>
public interface INetBackend
{
    /// <summary>Connects the device; at most one.</summary>
    void Attach(INetFrontend frontend);

    /// <summary>A frame from the guest, without FCS, 14 to 65,550 bytes. Never blocks for long.</summary>
    void Send(ReadOnlySpan<byte> frame);

    /// <summary>The guest has receive buffers again.</summary>
    void ReceiveReady();
}
