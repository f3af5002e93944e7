using Myna.Hardware.Backends;
using Myna.Storage;

namespace Myna.Machines;

/// <summary>Opens media for drives of a machine that exists already.</summary>
public static class MediumFile
{
    /// <summary>Opens a raw image: for writing where the drive writes, unless the user wants it otherwise.</summary>
    /// <exception cref="MachineException">It cannot be used; the message is for the user.</exception>
    public static IBlockBackend Open(string path, RemovableDrive drive, bool readOnly = false) => Open(path, readOnly || drive.Capacity is null, drive.Capacity);

    /// <summary>Opens a raw image as a disk.</summary>
    /// <exception cref="MachineException">It cannot be used; the message is for the user.</exception>
    public static IBlockBackend Open(string path, bool readOnly, Func<ulong, ulong>? capacity = null)
    {
        try
        {
            return DiskImage.Open(path, DiskFormat.Raw, readOnly, capacity);
        }
        catch (StorageException e)
        {
            throw new MachineException(e.Message, e);
        }
    }
}
