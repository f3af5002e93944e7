namespace Myna.Devices.Storage;

/// <summary>What a drive wants done for a command.</summary>
public enum TransferKind : byte
{
    /// <summary>Nothing: the command has ended, well or not.</summary>
    None,

    /// <summary>Bytes from the drive's buffer to the host.</summary>
    In,

    /// <summary>Bytes from the host, which the drive then takes as parameters.</summary>
    Out,

    /// <summary>From the medium to the host, <see cref="Write"/> the other way.</summary>
    Read,
    Write,

    /// <summary>Completed writes go to stable storage.</summary>
    Flush,
}

/// <summary>A drive's answer to a command: the transfer that the controller carries out before the command ends.</summary>
/// <param name="Offset">First byte on the medium.</param>
/// <param name="Length">Bytes.</param>
/// <param name="FlushAfter">The data must be on stable storage before the command ends.</param>
public readonly record struct Transfer(TransferKind Kind, ulong Offset = 0, uint Length = 0, bool FlushAfter = false);
