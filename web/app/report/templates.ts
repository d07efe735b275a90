/** Phrases a reader starts from: the normal wording and the common urgent finding, per modality and body part. */

interface Wording {
  name: string;
  findings: string;
  impression: string;
}

export interface Template {
  id: string;
  modalities: readonly string[];
  zh: Wording;
  en: Wording;
}

export const TEMPLATES: readonly Template[] = [
  {
    id: "ct-head-normal",
    modalities: ["CT"],
    zh: {
      name: "头颅 CT：未见异常",
      findings: "颅骨结构完整，未见骨折征象。脑实质密度均匀，灰白质界限清晰，未见异常密度影。脑室、脑池、脑沟大小形态正常，中线结构居中。所示副鼻窦及乳突未见异常。",
      impression: "头颅 CT 平扫未见明显异常。如临床怀疑早期脑梗死，建议 MRI 或 24 小时后复查。",
    },
    en: {
      name: "CT head: normal",
      findings:
        "No skull fracture. Brain parenchyma of normal attenuation with preserved grey-white differentiation; no focal lesion. Ventricles, cisterns and sulci normal in size and shape; midline not shifted. Visualised sinuses and mastoids clear.",
      impression: "Unremarkable non-contrast CT of the head. If early infarction is suspected, MRI or a repeat CT after 24 hours is advised.",
    },
  },
  {
    id: "ct-head-bleed",
    modalities: ["CT"],
    zh: {
      name: "头颅 CT：脑出血",
      findings: "【部位】见团块状高密度影，范围约【】mm×【】mm，CT 值约【】HU，周围见低密度水肿带。【侧】侧脑室受压，中线结构向【侧】移位约【】mm。脑室内【未见/可见】积血。",
      impression: "【部位】脑出血，量约【】mL。危急值，请立即联系上级医院神经外科并准备转诊。",
    },
    en: {
      name: "CT head: haemorrhage",
      findings:
        "Hyperdense collection in the [site], about [ ] x [ ] mm, [ ] HU, with surrounding hypodense oedema. [Side] lateral ventricle compressed, midline shift [ ] mm to the [side]. Intraventricular blood: [none/present].",
      impression: "Intracerebral haemorrhage of the [site], about [ ] mL. Critical finding: contact neurosurgery at once and prepare transfer.",
    },
  },
  {
    id: "ct-chest-normal",
    modalities: ["CT"],
    zh: {
      name: "胸部 CT：未见异常",
      findings: "双肺纹理清晰，未见实变、结节及间质性改变。气管及主支气管通畅。纵隔及双肺门未见肿大淋巴结。心影大小正常，未见心包积液。双侧胸腔未见积液、积气。所示骨质未见异常。",
      impression: "胸部 CT 平扫未见明显异常。",
    },
    en: {
      name: "CT chest: normal",
      findings:
        "Clear lungs without consolidation, nodule or interstitial change. Trachea and main bronchi patent. No enlarged mediastinal or hilar nodes. Heart of normal size, no pericardial effusion. No pleural effusion or pneumothorax. Visualised bones unremarkable.",
      impression: "Unremarkable non-contrast CT of the chest.",
    },
  },
  {
    id: "cr-chest-normal",
    modalities: ["CR", "DX"],
    zh: {
      name: "胸片：心肺膈未见异常",
      findings: "胸廓对称，气管居中。双肺野清晰，肺纹理走行自然，未见实质性病变。双肺门不大。心影大小、形态正常。双膈面光整，肋膈角锐利。所示骨质未见明显骨折。",
      impression: "心、肺、膈未见明显异常。",
    },
    en: {
      name: "Chest X-ray: normal",
      findings:
        "Symmetrical thorax, trachea central. Lungs clear, normal vascular markings. Hila not enlarged. Heart of normal size and shape. Smooth diaphragms, sharp costophrenic angles. No fracture seen.",
      impression: "No acute cardiopulmonary abnormality.",
    },
  },
  {
    id: "cr-chest-pneumonia",
    modalities: ["CR", "DX"],
    zh: {
      name: "胸片：肺炎",
      findings: "【侧】肺【上/中/下】野见片状密度增高影，边缘模糊。余肺野清晰。心影不大，双侧肋膈角锐利。",
      impression: "【侧】肺【】野炎症，建议抗感染治疗后复查。",
    },
    en: {
      name: "Chest X-ray: pneumonia",
      findings: "Patchy ill-defined opacity in the [side] [upper/mid/lower] zone. Remaining lungs clear. Heart not enlarged, costophrenic angles sharp.",
      impression: "Pneumonia of the [side] [zone]. Follow-up after treatment is advised.",
    },
  },
  {
    id: "cr-limb-normal",
    modalities: ["CR", "DX"],
    zh: {
      name: "四肢骨关节：未见骨折",
      findings: "所示诸骨骨质连续，骨皮质光整，未见明确骨折线及骨质破坏。关节对位良好，关节间隙正常。周围软组织未见明显肿胀。",
      impression: "所摄骨关节未见明确骨折及脱位。隐匿骨折不能完全除外，症状持续请复查或行 CT。",
    },
    en: {
      name: "Limb X-ray: no fracture",
      findings: "Cortices intact, no fracture line or bone destruction. Joints aligned with normal spaces. No marked soft tissue swelling.",
      impression: "No fracture or dislocation seen. An occult fracture is not excluded: repeat or CT if symptoms persist.",
    },
  },
  {
    id: "us-abdomen-normal",
    modalities: ["US"],
    zh: {
      name: "腹部超声：未见异常",
      findings: "肝脏大小形态正常，包膜光滑，实质回声均匀，肝内胆管不扩张，门静脉内径正常。胆囊壁光滑，腔内未见异常回声，胆总管不扩张。胰腺、脾脏大小形态正常。双肾大小形态正常，集合系统不分离。腹腔未见积液。",
      impression: "肝、胆、胰、脾、双肾超声未见明显异常。",
    },
    en: {
      name: "Abdominal ultrasound: normal",
      findings:
        "Liver of normal size and homogeneous echotexture, smooth surface, bile ducts and portal vein not dilated. Gallbladder thin-walled and clear, common duct not dilated. Pancreas and spleen normal. Both kidneys normal without hydronephrosis. No free fluid.",
      impression: "Unremarkable ultrasound of liver, gallbladder, pancreas, spleen and kidneys.",
    },
  },
  {
    id: "mr-head-normal",
    modalities: ["MR"],
    zh: {
      name: "头颅 MRI：未见异常",
      findings: "脑实质内未见异常信号，DWI 未见弥散受限。脑室系统大小形态正常，中线结构居中。脑沟、脑池未见增宽。所示颅底血管流空信号存在。",
      impression: "头颅 MRI 平扫未见明显异常。",
    },
    en: {
      name: "MR head: normal",
      findings:
        "No abnormal parenchymal signal and no restricted diffusion. Ventricles of normal size, midline not shifted. Sulci and cisterns not widened. Normal flow voids at the skull base.",
      impression: "Unremarkable MR of the head.",
    },
  },
  {
    id: "ecg-normal",
    modalities: ["ECG"],
    zh: { name: "心电图：正常", findings: "窦性心律，PR 间期、QRS 时限、QTc 间期在正常范围，电轴不偏。各导联 ST-T 未见异常改变。", impression: "窦性心律，正常心电图。" },
    en: {
      name: "ECG: normal",
      findings: "Sinus rhythm. PR interval, QRS duration and QTc within normal limits, normal axis. No abnormal ST-T changes.",
      impression: "Sinus rhythm, normal ECG.",
    },
  },
  {
    id: "ecg-af",
    modalities: ["ECG"],
    zh: {
      name: "心电图：心房颤动",
      findings: "P 波消失，代之以大小不等、形态各异的 f 波，RR 间期绝对不齐，平均心室率约【】次/分。",
      impression: "心房颤动，心室率【】次/分。请结合临床评估卒中风险及抗凝指征。",
    },
    en: {
      name: "ECG: atrial fibrillation",
      findings: "P waves absent, fibrillatory waves, irregularly irregular RR intervals, mean ventricular rate about [ ]/min.",
      impression: "Atrial fibrillation, ventricular rate [ ]/min. Please assess stroke risk and indication for anticoagulation.",
    },
  },
  {
    id: "ecg-stemi",
    modalities: ["ECG"],
    zh: {
      name: "心电图：急性 ST 段抬高",
      findings: "窦性心律。【】导联 ST 段弓背向上抬高【】mV，【】导联对应性压低。",
      impression: "急性【下壁/前壁/】ST 段抬高型心肌梗死可能。危急值：请立即启动胸痛流程，联系上级医院胸痛中心转诊。",
    },
    en: {
      name: "ECG: acute ST elevation",
      findings: "Sinus rhythm. Convex ST elevation of [ ] mV in leads [ ], reciprocal depression in leads [ ].",
      impression: "Probable acute [inferior/anterior/ ] ST-elevation infarction. Critical finding: start the chest pain pathway and call the chest pain centre now.",
    },
  },
  {
    id: "ecg-avb3",
    modalities: ["ECG"],
    zh: {
      name: "心电图：三度房室传导阻滞",
      findings: "P 波与 QRS 波群无固定关系，心房率约【】次/分，心室率约【】次/分，【交界性/室性】逸搏心律。",
      impression: "三度房室传导阻滞。危急值：请持续心电监护并立即联系上级医院，评估临时起搏。",
    },
    en: {
      name: "ECG: complete AV block",
      findings: "P waves and QRS complexes dissociated, atrial rate about [ ]/min, ventricular rate about [ ]/min, [junctional/ventricular] escape rhythm.",
      impression: "Complete atrioventricular block. Critical finding: monitor, call the upper-level hospital at once, assess for temporary pacing.",
    },
  },
];

/** The templates that fit a study of *modalities*; all of them when none does. */
export function templatesFor(modalities: readonly string[]): readonly Template[] {
  const fitting = TEMPLATES.filter((template) => template.modalities.some((modality) => modalities.includes(modality)));
  return fitting.length > 0 ? fitting : TEMPLATES;
}

/** *text* with *more* on a line of its own, said once. */
export function joined(text: string, more: string): string {
  if (!more || text.includes(more)) return text;
  return text.trim() ? `${text.trimEnd()}\n${more}` : more;
}
