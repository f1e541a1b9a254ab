//! A scanner that stores an image by DICOM C-STORE (PS3.7, 9.1.1), and the archive system that
//! takes it. On threads of their own: the upper layer of the `dicom-ul` crate is synchronous.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dicom_ul::pdu::{PDataValue, PDataValueType};
use dicom_ul::{ClientAssociationOptions, Pdu, ServerAssociationOptions};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Rows and columns of the image.
pub(super) const SIDE: u16 = 256;

/// The archive system: takes one image.
pub(super) struct Pacs {
    /// Where it listens.
    pub(super) address: SocketAddr,
    stored: Receiver<Outcome<Vec<u8>>>,
}

impl Pacs {
    /// Listens on a port of its own; its thread ends after one association.
    pub(super) fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (tell, stored) = channel();
        std::thread::Builder::new()
            .name("pacs".into())
            .spawn(move || {
                let taken = listener.accept().map_err(Into::into);
                // Nobody waits for it when the demo has ended meanwhile.
                drop(tell.send(taken.and_then(|(stream, _)| take(stream))));
            })?;
        Ok(Self { address, stored })
    }

    /// The data set it stored.
    pub(super) fn stored(&self) -> Outcome<Vec<u8>> {
        self.stored.recv_timeout(PATIENCE)?
    }
}

/// The pixels of a row of the image; no two rows begin alike.
pub(super) fn row(row: u16) -> impl Iterator<Item = u16> {
    (0..SIDE).map(move |column| row ^ column)
}

/// An image with this patient's name, encoded as it is sent (implicit VR, little endian).
pub(super) fn image(patient: &str) -> Outcome<Vec<u8>> {
    let pixels: Vec<u16> = (0..SIDE).flat_map(row).collect();
    let text = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    let image = InMemDicomObject::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, INSTANCE_UID),
        text(tags::MODALITY, VR::CS, "CT"),
        text(tags::PATIENT_NAME, VR::PN, patient),
        text(tags::PATIENT_ID, VR::LO, "4711"),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::ROWS, SIDE),
        number(tags::COLUMNS, SIDE),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 16),
        number(tags::HIGH_BIT, 15),
        number(tags::PIXEL_REPRESENTATION, 0),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())),
    ]);
    encoded(&image)
}

/// Stores `image` at the system behind `address`; returns once it was accepted.
pub(super) fn store(address: SocketAddr, image: &[u8]) -> Outcome<()> {
    let mut association = ClientAssociationOptions::new()
        .calling_ae_title("CT-2")
        .called_ae_title("PACS")
        .with_presentation_context(
            uids::CT_IMAGE_STORAGE,
            vec![uids::IMPLICIT_VR_LITTLE_ENDIAN],
        )
        .read_timeout(PATIENCE)
        .establish(address)?;
    let context = association.presentation_contexts().first();
    let context = context.ok_or("no presentation context was accepted")?.id;
    let command = InMemDicomObject::command_from_element_iter([
        DataElement::new(
            tags::AFFECTED_SOP_CLASS_UID,
            VR::UI,
            PrimitiveValue::from(uids::CT_IMAGE_STORAGE),
        ),
        DataElement::new(tags::COMMAND_FIELD, VR::US, dicom_value!(U16, [C_STORE_RQ])),
        DataElement::new(tags::MESSAGE_ID, VR::US, dicom_value!(U16, [1])),
        DataElement::new(tags::PRIORITY, VR::US, dicom_value!(U16, [0])),
        DataElement::new(tags::COMMAND_DATA_SET_TYPE, VR::US, dicom_value!(U16, [1])),
        DataElement::new(
            tags::AFFECTED_SOP_INSTANCE_UID,
            VR::UI,
            PrimitiveValue::from(INSTANCE_UID),
        ),
    ]);
    association.send(&one(context, PDataValueType::Command, encoded(&command)?))?;
    std::io::Write::write_all(&mut association.send_pdata(context), image)?;
    let Pdu::PData { data } = association.receive()? else {
        return Err("something other than a response came".into());
    };
    let response = data.first().ok_or("an empty response came")?;
    let response = InMemDicomObject::read_dataset_with_ts(
        &response.data[..],
        &IMPLICIT_VR_LITTLE_ENDIAN.erased(),
    )?;
    let status: u16 = response.element(tags::STATUS)?.to_int()?;
    association.release()?;
    match status {
        0 => Ok(()),
        status => Err(format!("the image was refused with status {status:#06x}").into()),
    }
}

/// Takes one image and answers for it.
fn take(stream: TcpStream) -> Outcome<Vec<u8>> {
    let mut association = ServerAssociationOptions::new()
        .accept_any()
        .with_abstract_syntax(uids::CT_IMAGE_STORAGE)
        .ae_title("PACS")
        .read_timeout(PATIENCE)
        .establish(stream)?;
    let (mut command, mut image) = (Vec::new(), Vec::new());
    loop {
        match association.receive()? {
            Pdu::PData { data } => {
                let mut last = None;
                for value in data {
                    match value.value_type {
                        PDataValueType::Command => command.extend(value.data),
                        PDataValueType::Data => {
                            image.extend(value.data);
                            last = value.is_last.then_some(value.presentation_context_id);
                        }
                    }
                }
                if let Some(context) = last {
                    let response = encoded(&accepted())?;
                    association.send(&one(context, PDataValueType::Command, response))?;
                }
            }
            Pdu::ReleaseRQ => {
                association.send(&Pdu::ReleaseRP)?;
                return Ok(image);
            }
            Pdu::Unknown { .. }
            | Pdu::AssociationRQ(_)
            | Pdu::AssociationAC(_)
            | Pdu::AssociationRJ(_)
            | Pdu::ReleaseRP
            | Pdu::AbortRQ { .. } => return Err("the association did not end as it should".into()),
        }
    }
}

fn accepted() -> InMemDicomObject {
    InMemDicomObject::command_from_element_iter([
        DataElement::new(
            tags::AFFECTED_SOP_CLASS_UID,
            VR::UI,
            PrimitiveValue::from(uids::CT_IMAGE_STORAGE),
        ),
        DataElement::new(
            tags::COMMAND_FIELD,
            VR::US,
            dicom_value!(U16, [C_STORE_RSP]),
        ),
        DataElement::new(
            tags::MESSAGE_ID_BEING_RESPONDED_TO,
            VR::US,
            dicom_value!(U16, [1]),
        ),
        DataElement::new(
            tags::COMMAND_DATA_SET_TYPE,
            VR::US,
            dicom_value!(U16, [0x0101]),
        ),
        DataElement::new(tags::STATUS, VR::US, dicom_value!(U16, [0])),
        DataElement::new(
            tags::AFFECTED_SOP_INSTANCE_UID,
            VR::UI,
            PrimitiveValue::from(INSTANCE_UID),
        ),
    ])
}

fn encoded(object: &InMemDicomObject) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    object.write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased())?;
    Ok(bytes)
}

fn one(presentation_context_id: u8, value_type: PDataValueType, data: Vec<u8>) -> Pdu {
    let value = PDataValue {
        presentation_context_id,
        value_type,
        is_last: true,
        data,
    };
    Pdu::PData { data: vec![value] }
}

/// Command fields of PS3.7, annex E.
const C_STORE_RQ: u16 = 0x0001;
const C_STORE_RSP: u16 = 0x8001;
/// Of the UUID-derived root, so nobody else's.
const INSTANCE_UID: &str = "2.25.268051044599311345688996422911472680001";
const PATIENCE: Duration = Duration::from_secs(20);
